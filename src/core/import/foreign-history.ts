/** Another migration tool's history, in one form for all tools. */
import type { TableName } from '../table-name.ts';

/** The tools whose history can be imported. */
export const IMPORT_TOOLS = ['golang-migrate', 'goose', 'dbmate', 'node-pg-migrate', 'flyway', 'prisma'] as const;

/** Every value of `--from`; of graphile-migrate only the files can be converted. */
export const FROM_TOOLS = [...IMPORT_TOOLS, 'graphile-migrate'] as const;

/** The tools whose files can be converted. */
export const CONVERT_TOOLS = ['goose', 'dbmate', 'flyway', 'prisma', 'graphile-migrate', 'node-pg-migrate'] as const;

export type ConvertTool = (typeof CONVERT_TOOLS)[number];

export type ImportTool = (typeof IMPORT_TOOLS)[number];

/** A row of another tool's table, every value as text. */
export type ForeignRow = Readonly<Record<string, string | null>>;

/** Another tool's table, as it was found. */
export interface ForeignTable {
  readonly name: Required<TableName>;
  readonly columns: readonly string[];
  readonly rows: readonly ForeignRow[];
  /** Its new name, if its name is the one that Lockstep's table needs. */
  readonly renamedTo?: TableName;
}

/** A migration that the other tool has applied, as it calls it. */
export interface ForeignVersion {
  readonly label: string;
  /** Its number, as digits without leading zeros; undefined if it has none that a file could have. */
  readonly number?: string | undefined;
  /** What a file's name has after the number. */
  readonly name?: string | undefined;
  /** As the server writes it; a time without a zone is in the session's time zone. */
  readonly appliedAt?: string | undefined;
  /** SHA-256 of the text that was applied, if the tool keeps one. */
  readonly checksum?: string | undefined;
}

export interface ForeignHistory {
  /** In the tool's own order. */
  readonly applied: readonly ForeignVersion[];
  /** Every file up to this one counts as applied. */
  readonly through?: ForeignVersion | undefined;
  /** Migrations that failed or are running, one sentence each: how much of them is in the database is unknown. */
  readonly unfinished: readonly string[];
  readonly remarks: readonly string[];
}
