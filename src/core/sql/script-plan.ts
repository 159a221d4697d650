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

/** What REINDEX names; the database is always the one that it runs in. */
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
   * Takes table locks that others would queue behind (DDL): run it under `lock_timeout`. False from where the script
   * sets lock_timeout itself, so set ours only between a blocking piece and one that is not.
   */
  readonly blocking: boolean;
  /** Takes such locks under a limit that the script has set itself; it gives way and comes back all the same. */
  readonly ownLimit?: true;
  /** A DO block or CALL, which may hold DDL: a handler in it could swallow a lock timeout. */
  readonly runsCode?: true;
  /** What a blocking piece names: whoever locks one of these may keep it from its own lock. */
  readonly relations: readonly RelationName[];
  /** Where each of its statements begins, as `offset`; absent when nobody knows. */
  readonly starts?: readonly number[];
  /** The parser could not read it: it may hold anything, also a COMMIT. */
  readonly unread?: Unread;
}

/** One step of a statement-by-statement script. */
export interface Unit extends SqlPiece {
  /** Counts from 1. */
  readonly index: number;
  /** The parser's name of the statement, for example `IndexStmt`. */
  readonly kind: string;
  /** May run in a transaction, so it commits together with its journal row. */
  readonly transactional: boolean;
  /** Waits for other sessions' snapshots: a runner that blocks on our lock must be out of the way. */
  readonly waitsForSnapshots: boolean;
  readonly concurrentIndexes: readonly ConcurrentIndex[];
  /** What REINDEX CONCURRENTLY rebuilds; a failed one leaves invalid indexes `…_ccnew` there. */
  readonly reindexes?: Reindexed;
  /** What DETACH PARTITION CONCURRENTLY takes apart; one that was killed between its transactions must be finalized. */
  readonly detaches?: { readonly parent: RelationName; readonly partition: RelationName };
  /** The script has set lock_timeout itself: leave it as it is. `blocking` is false then. */
  readonly ownLockTimeout?: boolean;
  /** Changes only the session (SET, temporary tables): done again when the script is resumed. */
  readonly sessionOnly: boolean;
  /** Of a part with several statements: those that change only the session, to be done again by themselves. */
  readonly again?: Unit;
  /** What the journal knows it by, where `sql` is only a piece of that. */
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
   * `rows`: all of a table; `some rows`: those that a condition finds; `values`: what a column held before it was converted;
   * `dependents`: whatever depends on `name`; `owned`: whatever the role `name` owns; `unknown`: nobody can know beforehand.
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
  /** The table whose rows tell how much it is. */
  readonly table?: RelationName;
}

export interface ScriptAnalysis {
  readonly plan: ScriptPlan;
  readonly losses: readonly Loss[];
  /** Why the script is refused (exit 21). */
  readonly problems: readonly ScriptRemark[];
  /** Worth a warning whenever the script is about to run. */
  readonly warnings: readonly ScriptRemark[];
  /** What only `validate` tells: syntax the parser can't read, and hazards. */
  readonly syntaxError?: ScriptRemark;
  readonly hazards: readonly ScriptRemark[];
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
