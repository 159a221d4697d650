/** What the parts of one session share. */
import type { CallerSettings } from './caller-settings.ts';
import type { RunnerIdentity } from '../../../core/runner.ts';
import type { Care } from './attached-objects.ts';
import type { Relation } from './relation.ts';
import type { SessionSettings } from './settings.ts';
import { identifier } from '../wire/sql.ts';
import type { Wire } from '../wire/wire.ts';

export interface Tenant {
  /** In the comment of its history: the key of runs that work in this schema alone. */
  readonly recordedKey: string;
  /** Held in shared mode by every run over many schemas, so that such runs are kept out. */
  readonly gateKey: string | undefined;
}

export interface SessionContext {
  readonly wire: Wire;
  readonly runner: RunnerIdentity;
  readonly settings: SessionSettings;
  /** As the newest check found it. */
  relation: Relation;
  /** `--table` has a schema. */
  readonly named: boolean;
  /** One of many schemas that a run works in. */
  readonly tenant: Tenant | undefined;
  /** A pooler is in between. */
  readonly pooled: boolean;
  /** The role that the session had before any migration; `none` without one. */
  readonly role: string;
  /** What a caller's session had before. */
  callerSettings: CallerSettings | undefined;
  /** Hygiene settings that the server accepted. */
  accepted: ReadonlyMap<string, string>;
  /** How closely the tables are to be looked at. */
  care: Care;
}

/** The keys that the session holds, on which others may block. */
export function keysOf({ relation, tenant }: Pick<SessionContext, 'relation' | 'tenant'>): readonly string[] {
  return tenant?.gateKey === undefined ? [relation.key] : [relation.key, tenant.gateKey];
}

/** Our own rights for the rest of a transaction, whatever role the migration took; undone by COMMIT. */
export function asOurselves(context: SessionContext): string[] {
  const role = context.settings.role ?? (context.role === 'none' ? undefined : context.role);
  return [
    'SET LOCAL SESSION AUTHORIZATION DEFAULT',
    `SET LOCAL ROLE ${role === undefined ? 'NONE' : identifier(role)}`,
  ];
}
