/** What a caller's session had before the run, and how it is restored. */
import { BEGIN } from '../wire/own-path.ts';
import { RESET_STATEMENTS, setStatement } from './settings.ts';
import { identifier } from '../wire/sql.ts';
import type { Wire } from '../wire/wire.ts';

export interface CallerSettings {
  readonly settings: Readonly<Record<string, string>>;
  readonly channels: readonly string[];
}

export async function readCallerSettings(wire: Wire): Promise<CallerSettings> {
  // Under the caller's own search_path, which is one of the settings.
  const [settings, channels] = await wire.asIs(
    `SELECT name, pg_catalog.current_setting(name) FROM pg_catalog.pg_settings WHERE source OPERATOR(pg_catalog.=) 'session'` +
      ` AND name OPERATOR(pg_catalog.<>) ALL (ARRAY['transaction_isolation', 'transaction_read_only', 'transaction_deferrable']);\n` +
      `SELECT pg_catalog.pg_listening_channels()`,
  );
  return {
    settings: Object.fromEntries((settings?.rows ?? []).map(([name, value]) => [name ?? '', value ?? ''])),
    channels: (channels?.rows ?? []).flatMap(([channel]) => channel ?? []),
  };
}

/** The driver remembers the caller's prepared statements, and the caller may be listening: both stay. */
export const CALLER_RESET_STATEMENTS = RESET_STATEMENTS.filter((sql) => !/^(?:DEALLOCATE|UNLISTEN)/.test(sql));

/** `role` is `none` for a session without one. */
export async function restoreCallerSettings(
  wire: Wire,
  { settings, channels }: CallerSettings,
  role: string,
): Promise<void> {
  const statements = [
    BEGIN.write,
    ...CALLER_RESET_STATEMENTS,
    ...(Object.keys(settings).length === 0 ? [] : [setStatement(Object.entries(settings))]),
    ...(role === 'none' ? [] : [`SET ROLE ${identifier(role)}`]),
    'UNLISTEN *',
    ...channels.map((channel) => `LISTEN ${identifier(channel)}`),
    'COMMIT',
  ];
  await wire.transactionAsIs(statements.join(';\n'));
}
