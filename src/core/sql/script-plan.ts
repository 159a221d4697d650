/** How one script will be run: in one transaction, or statement by statement. */

/** An index that a `CONCURRENTLY` statement makes or drops. */
export interface ConcurrentIndex {
  readonly action: 'create' | 'drop';
  readonly schema?: string;
  readonly name: string;
  /** The table of a CREATE INDEX. */
  readonly table?: { readonly schema?: string; readonly name: string };
  readonly ifNotExists: boolean;
}

/** A table, view or index as a statement names it. */
export interface RelationName {
  readonly schema?: string;
  readonly name: string;
}

/** What REINDEX names; REINDEX DATABASE always means the connected database. */
export type Reindexed =
  | { readonly index: RelationName }
  | { readonly table: RelationName }
  | { readonly schema: string }
  | { readonly database: true };

export interface Unread {
  /** Where in the script's text the parser gave up, in UTF-16 code units; undefined when it was not asked. */
  readonly at?: number;
}

/** A piece of the script's text, as it is sent. */
export interface SqlPiece {
  readonly sql: string;
  /** Where `sql` begins in the script's text, in UTF-16 code units. */
  readonly offset: number;
  /**
   * Takes table locks that others would queue behind (DDL): run it under `lock_timeout`. False after the script has set
   * lock_timeout itself, so that its value stays.
   */
  readonly blocking: boolean;
  /** Takes such locks under a lock_timeout that the script has set itself; it is retried all the same. */
  readonly ownLimit?: true;
  /** A DO block or CALL, which may contain DDL: an exception handler in it could swallow a lock timeout. */
  readonly runsCode?: true;
  /** The relations that a blocking piece names: a session that locks one of them may block it. */
  readonly relations: readonly RelationName[];
  /** Where each of its statements begins, counted as `offset` is; absent when unknown. */
  readonly starts?: readonly number[];
  /** The parser could not read it: it may contain anything, even a COMMIT. */
  readonly unread?: Unread;
}

/** One step of a statement-by-statement script. */
export interface Unit extends SqlPiece {
  /** Counts from 1. */
  readonly index: number;
  /** The parser's name of the statement, for example `IndexStmt`. */
  readonly kind: string;
  /** Can run in a transaction, so it commits together with its journal row. */
  readonly transactional: boolean;
  /** Waits for other sessions' snapshots: a runner that is blocked on the advisory lock would deadlock with it. */
  readonly waitsForSnapshots: boolean;
  readonly concurrentIndexes: readonly ConcurrentIndex[];
  /** What REINDEX CONCURRENTLY rebuilds; a failed one leaves invalid indexes named `…_ccnew`. */
  readonly reindexes?: Reindexed;
  /**
   * What DETACH PARTITION CONCURRENTLY detaches; if it is killed between its two transactions, FINALIZE must follow.
   */
  readonly detaches?: { readonly parent: RelationName; readonly partition: RelationName };
  /** The script has set lock_timeout itself: leave it as it is. `blocking` is false then. */
  readonly ownLockTimeout?: boolean;
  /** Changes only the session (SET, temporary tables): repeated when the script is resumed. */
  readonly sessionOnly: boolean;
  /** In a unit of several statements: those that change only the session, to be repeated alone. */
  readonly again?: Unit;
  /** The text that identifies it in the journal, if `sql` is only a part of that. */
  readonly whole?: string;
}

export type ScriptPlan =
  | { readonly mode: 'transaction'; readonly pieces: readonly SqlPiece[] }
  | { readonly mode: 'statements'; readonly units: readonly Unit[] };

/** Something about a script that a person should know; `line` counts from 1. */
export interface ScriptRemark {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** Data that a script destroys. */
export interface Loss {
  /**
   * `rows`: all of a table; `some rows`: those that a condition finds; `values`: what a column held before it was
   * converted; `dependents`: whatever depends on `name`; `owned`: whatever the role `name` owns; `unknown`: cannot be
   * known beforehand.
   */
  readonly kind:
    | 'table'
    | 'column'
    | 'rows'
    | 'some rows'
    | 'values'
    | 'schema'
    | 'database'
    | 'dependents'
    | 'owned'
    | 'unknown';
  /** As the statement names it; for a column, its table. */
  readonly name: string;
  readonly column?: string;
  /** Where its statement begins in the script's text. */
  readonly offset: number;
  /** The table whose row count shows how much is lost. */
  readonly table?: RelationName;
}

export interface ScriptAnalysis {
  readonly plan: ScriptPlan;
  readonly losses: readonly Loss[];
  /** Why the script is refused (exit 21). */
  readonly problems: readonly ScriptRemark[];
  /** Worth a warning whenever the script is about to run. */
  readonly warnings: readonly ScriptRemark[];
  /** Reported by `validate` only: syntax that the parser cannot read. */
  readonly syntaxError?: ScriptRemark;
}

/** A raw statement as the parser gives it. Offsets are UTF-16 code units of the parsed text. */
export interface ParsedStatement {
  readonly kind: string;
  /** The parse tree's node for `kind`, PostgreSQL's own field names. */
  readonly node: Readonly<Record<string, unknown>>;
  /** Of the first token, after white space and comments. */
  readonly start: number;
  /** One past the last character, before the semicolon. */
  readonly end: number;
}

export type ParseResult =
  | { readonly ok: true; readonly statements: readonly ParsedStatement[] }
  | { readonly ok: false; readonly message: string; readonly offset: number };

/** Reads SQL with PostgreSQL's grammar. */
export interface SqlParser {
  parse(text: string): Promise<ParseResult>;
}
