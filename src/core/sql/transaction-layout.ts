/** Which statements of a script share a transaction, and which transaction control is refused. */
import type { Statement } from './statements.ts';

/** Statements that are sent together. */
export interface Group {
  readonly statements: readonly Statement[];
  /** The script has BEGIN and COMMIT around them; neither is sent. */
  readonly block: boolean;
}

interface Fault {
  readonly statement: Statement;
  readonly message: string;
}

export interface Layout {
  readonly mode: 'transaction' | 'statements';
  readonly groups: readonly Group[];
  readonly faults: readonly Fault[];
  /** The file's own BEGIN and COMMIT, if some statements are outside of them: each part of the file is a group. */
  readonly cuts?: readonly Statement[];
}

const OUTSIDE_IN_BLOCK = "this statement can't run in a transaction block: move it out of BEGIN … COMMIT";
const NEEDS_DIRECTIVE =
  'Lockstep runs the file in its own transaction: remove BEGIN, COMMIT and ROLLBACK, or start the file with "-- lockstep: no-transaction"';
const NO_BEGIN = 'this COMMIT or ROLLBACK has no BEGIN';
const NO_COMMIT = 'this BEGIN has no COMMIT';
const LONE_SAVEPOINT = 'in a file that runs statement by statement, a savepoint needs BEGIN … COMMIT around it';

/** `noTransaction` is the directive. */
export function layOut(statements: readonly Statement[], noTransaction: boolean): Layout {
  if (noTransaction) return blockByBlock(statements);
  const inner = betweenBeginAndCommit(statements);
  if (inner) {
    const faults = inner
      .filter(({ outside }) => outside)
      .map((statement) => ({ statement, message: OUTSIDE_IN_BLOCK }));
    return { mode: 'transaction', groups: [{ statements: inner, block: true }], faults };
  }
  const mode = statements.some(({ outside }) => outside) ? 'statements' : 'transaction';
  if (mode === 'transaction' && statements.some(endsOrBegins)) return partByPart(statements);
  const faults = statements.flatMap((statement): Fault[] => {
    if (endsOrBegins(statement)) return [{ statement, message: NEEDS_DIRECTIVE }];
    return mode === 'statements' && statement.control ? [{ statement, message: LONE_SAVEPOINT }] : [];
  });
  const groups = statements.map((statement) => ({ statements: [statement], block: false }));
  return { mode, groups, faults };
}

/** The statements of a script that is exactly `BEGIN; … COMMIT;`. */
function betweenBeginAndCommit(statements: readonly Statement[]): readonly Statement[] | undefined {
  const inner = statements.slice(1, -1);
  const [first, last] = [statements[0], statements.at(-1)];
  const exactly =
    first?.control === 'begin' && last?.control === 'commit' && !chains(last) && !inner.some(endsOrBegins);
  return exactly ? inner : undefined;
}

function endsOrBegins({ control }: Statement): boolean {
  return control !== undefined && control !== 'savepoint';
}

/** COMMIT AND CHAIN. */
function chains({ node }: Statement): boolean {
  return node['chain'] === true;
}

/**
 * As the server runs the file in one message, which is how golang-migrate sends it: statements before a BEGIN join its
 * transaction.
 */
function partByPart(statements: readonly Statement[]): Layout {
  const parts: Statement[][] = [[]];
  const faults: Fault[] = [];
  let begin: Statement | undefined;
  for (const statement of statements) {
    const message = begin
      ? faultInBlock(statement)
      : isStray(statement)
        ? `${NO_BEGIN}; ${NEEDS_DIRECTIVE}`
        : undefined;
    if (message !== undefined) faults.push({ statement, message });
    if (statement.control === 'begin') begin ??= statement;
    else if (!endsOrBegins(statement)) parts.at(-1)?.push(statement);
    else {
      begin = undefined;
      parts.push([]);
    }
  }
  if (begin) faults.push({ statement: begin, message: NO_COMMIT });
  const groups = parts.filter((part) => part.length > 0).map((part) => ({ statements: part, block: true }));
  return {
    mode: groups.length > 1 ? 'statements' : 'transaction',
    groups,
    faults,
    cuts: statements.filter(endsOrBegins),
  };
}

function blockByBlock(statements: readonly Statement[]): Layout {
  const groups: Group[] = [];
  const faults: Fault[] = [];
  let begin: Statement | undefined;
  let block: Statement[] = [];
  for (const statement of statements) {
    const message = begin ? faultInBlock(statement) : faultOutside(statement);
    if (message !== undefined) faults.push({ statement, message });
    if (statement.control === 'begin') begin ??= statement;
    else if (begin && endsOrBegins(statement)) {
      groups.push({ statements: block, block: true });
      [begin, block] = [undefined, []];
    } else if (begin) block.push(statement);
    else groups.push({ statements: [statement], block: false });
  }
  if (begin) faults.push({ statement: begin, message: NO_COMMIT });
  return { mode: 'statements', groups: groups.filter((group) => group.statements.length > 0), faults };
}

function faultInBlock(statement: Statement): string | undefined {
  if (statement.outside) return OUTSIDE_IN_BLOCK;
  if (statement.control === 'begin') return 'this BEGIN is inside another BEGIN … COMMIT: remove it';
  if (statement.control === 'rollback')
    return 'a block that ends with ROLLBACK changes nothing: end it with COMMIT, or remove it';
  return statement.control === 'commit' && chains(statement)
    ? 'write COMMIT and BEGIN instead of COMMIT AND CHAIN'
    : undefined;
}

function faultOutside(statement: Statement): string | undefined {
  if (statement.control === 'savepoint') return LONE_SAVEPOINT;
  return isStray(statement) ? NO_BEGIN : undefined;
}

function isStray({ control }: Statement): boolean {
  return control === 'commit' || control === 'rollback';
}
