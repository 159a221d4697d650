/** Is there anything to do in a schema, as one look at many saw it? */
import type { AppliedVersion } from '../history.ts';
import { compareVersions, type Migration, type Version } from '../migration.ts';
import { unfinished, type VersionInPart } from '../plan/in-part.ts';
import { leavingVersions } from '../plan/plan-down.ts';
import { planUp, type Plan } from '../plan/plan.ts';
import { olderThanFiles } from '../plan/squashed.ts';
import type { DownTarget, UpTarget } from '../plan/target.ts';
import { onlyAddsToHistory } from '../runner.ts';
import type { TenantLook, TenantsLook } from './ports.ts';

/** `new release`: up to date, but the release is not recorded there yet. `taken`: another run works there. */
export type Standing = 'up to date' | 'new release' | 'work' | 'taken' | 'gone';

export type Asked =
  | { readonly direction: 'up'; readonly target: UpTarget; readonly strict: boolean }
  | { readonly direction: 'down'; readonly target: DownTarget; readonly holds: boolean; readonly database: string };

type Remarks = Pick<Plan, 'ahead' | 'warnings'>;

/** Plans once for all schemas with the same history. */
export class Standings {
  readonly #migrations: readonly Migration[];
  readonly #asked: Asked;
  readonly #known = new Map<readonly AppliedVersion[], boolean>();
  readonly #remarks = new Map<readonly AppliedVersion[], Remarks>();

  constructor(migrations: readonly Migration[], asked: Asked) {
    this.#migrations = migrations;
    this.#asked = asked;
  }

  of(schema: string, { looks, present }: TenantsLook): Standing {
    if (!present.has(schema)) return 'gone';
    const look = looks.get(schema);
    // What could not be read together with others is looked at alone.
    if (!look) return 'work';
    const isDone = this.#isDone(look);
    if (look.holder && !(isDone && this.#asked.direction === 'up' && onlyAddsToHistory(look.holder))) return 'taken';
    if (!isDone) return 'work';
    return this.#asked.direction === 'up' && look.journal?.releaseSeen === false ? 'new release' : 'up to date';
  }

  /** Whether it may take a run before all is applied. */
  isOpen(schema: string, look: TenantsLook): boolean {
    return ['work', 'taken'].includes(this.of(schema, look));
  }

  #isDone({ history: { applied }, journal }: TenantLook): boolean {
    const inPart = unfinished(journal?.inPart ?? [], applied);
    if (inPart.length > 0) return !this.#hasWork(applied, inPart);
    let isDone = this.#known.get(applied);
    if (isDone === undefined) this.#known.set(applied, (isDone = !this.#hasWork(applied, [])));
    return isDone;
  }

  /** What there is to say of schemas with nothing to do, which no run of their own says. */
  remarksOn(schemas: readonly string[], look: TenantsLook): { readonly ahead: Version[]; readonly warnings: string[] } {
    const ahead = new Set<Version>();
    const said = new Map<string, { count: number; readonly first: string }>();
    for (const schema of schemas) {
      const applied = this.isOpen(schema, look) ? undefined : look.looks.get(schema)?.history.applied;
      const remarks = applied && this.#remarks.get(applied);
      for (const version of remarks?.ahead ?? []) ahead.add(version);
      for (const warning of remarks?.warnings ?? []) {
        const known = said.get(warning);
        if (known) known.count += 1;
        else said.set(warning, { count: 1, first: schema });
      }
    }
    const warnings = [...said].map(([warning, { count, first }]) =>
      count === 1 ? `${first}: ${warning}` : `${warning} (in ${count} schemas, the first is ${first})`,
    );
    return { ahead: [...ahead].sort(compareVersions), warnings };
  }

  /** Also where the plan is refused, or has a warning: the run in that schema says why. */
  #hasWork(applied: readonly AppliedVersion[], inPart: readonly VersionInPart[]): boolean {
    const asked = this.#asked;
    if (asked.direction === 'down') {
      if (asked.holds) return true;
      if (applied.length === 0 && inPart.length === 0) return false;
      const { leaving, problems } = leavingVersions(this.#migrations, applied, { ...asked, inPart });
      return leaving.length > 0 || problems.length > 0;
    }
    const planned = planUp(this.#migrations, applied, { ...asked, inPart });
    if (!planned.ok || planned.plan.steps.length > 0 || inPart.length > 0) return true;
    this.#remarks.set(applied, planned.plan);
    // Of these the journal says whether files were squashed.
    return olderThanFiles(this.#migrations, applied).length > 0;
  }
}
