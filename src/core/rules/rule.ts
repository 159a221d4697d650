/** What a rule of `validate` is, and what it may look at. */
import type { Direction } from '../migration.ts';
import type { Statement } from '../sql/statements.ts';
import type { TreeNode } from '../sql/syntax-tree.ts';
import type { Directory } from './directory.ts';

type Severity = 'error' | 'warning' | 'note';

/** What a flag may make of a rule. */
export type RuleLevel = Severity | 'off';

/** A statement, its script, and what earlier statements and files have made. */
export interface View {
  readonly statements: readonly Statement[];
  readonly mode: 'transaction' | 'statements';
  readonly direction: Direction;
  /** Of an up script: there is a way back, or the file says that there is none. */
  readonly reversible: boolean;
  readonly statement: Statement;
  readonly position: number;
  readonly kind: string;
  readonly node: TreeNode;
  /** How many statements of the script have an effect beyond the session. */
  readonly effects: number;
  /** Whether the statement names a relation that others may use: neither this script nor an earlier pending one made it. */
  readonly existing: boolean;
  /** The commands of an ALTER TABLE on such a table. */
  readonly commands: readonly TreeNode[];
  readonly directory: Directory;
}

type RuleFamily =
  | 'indexes'
  | 'constraints'
  | 'columns'
  | 'rewrites'
  | 'drops'
  | 'renames'
  | 'types'
  | 'partitions'
  | 'data'
  | 'objects'
  | 'files'
  | 'style';

export interface Rule {
  /** Stable: it stands in comments, flags and reports. */
  readonly id: string;
  readonly family: RuleFamily;
  /** Unless a flag says otherwise. */
  readonly level: RuleLevel;
  /** `up`: a down script may do it, because a rollback must. */
  readonly direction: 'up' | 'both';
  /** What it blocks (the lock, and who waits for it) or breaks. */
  readonly blocks: string;
  /** How to write it instead. */
  readonly instead: string;
  /** What depends on the server's version. */
  readonly versions?: string;
  /** A file that the rule finds, and the files to write instead; `before` has run already, on the tables of `EXAMPLE_SCHEMA`. */
  readonly bad: string;
  readonly good: readonly string[];
  readonly before?: string;
  readonly matches: (view: View) => boolean;
}

/** One finding reads as one sentence. */
export function messageOf({ blocks, instead }: Pick<Rule, 'blocks' | 'instead'>): string {
  return `${blocks}: ${instead}`;
}
