/** What another migration tool remembers, in one form for all of them. */
import type { TableName } from '../table-name.ts';

/** The tools whose history can be taken over. */
export const IMPORT_TOOLS = ['golang-migrate', 'goose', 'dbmate', 'node-pg-migrate', 'flyway', 'prisma'] as const;

/** Those, and one whose files alone can be converted. */
export const FROM_TOOLS = [...IMPORT_TOOLS, 'graphile-migrate'] as const;

/** The tools whose files can be converted. */
export const CONVERT_TOOLS = ['goose', 'dbmate', 'flyway', 'prisma', 'graphile-migrate', 'node-pg-migrate'] as const;

export type ConvertTool = (typeof CONVERT_TOOLS)[number];

export type ImportTool = (typeof IMPORT_TOOLS)[number];

/** A row of another tool's table, every value as text. */
export type ForeignRow = Readonly<Record<string, string | null>>;

/** A table of another tool, as it was found. */
export interface ForeignTable {
  readonly name: Required<TableName>;
  readonly columns: readonly string[];
  readonly rows: readonly ForeignRow[];
  /** What it will be called, as it has the name of ours. */
  readonly renamedTo?: TableName;
}

/** A migration that the other tool has applied, as it calls it. */
export interface ForeignVersion {
  readonly label: string;
  /** Its number, as digits without leading zeros; undefined when it has none that could be a file's. */
  readonly number?: string | undefined;
  /** What a file's name has after the number. */
  readonly name?: string | undefined;
  /** As the server writes it; a time without a zone is meant in the session's. */
  readonly appliedAt?: string | undefined;
  /** SHA-256 of the text that was applied, where the tool keeps one. */
  readonly checksum?: string | undefined;
}

export interface ForeignHistory {
  /** In the tool's own order. */
  readonly applied: readonly ForeignVersion[];
  /** Every file up to this one counts as applied. */
  readonly through?: ForeignVersion | undefined;
  /** What failed, or is under way, in the tool's words: nobody can say what of it is in the database. */
  readonly unfinished: readonly string[];
  readonly remarks: readonly string[];
}
