/** How a script will run, and everything a person should know beforehand. */
import type { Direction, Directives } from '../migration.ts';
import { findLosses, UNREAD } from './losses.ts';
import type { Reading } from './read-script.ts';
import { maskPasswords, withoutQuoted } from '../text/secrets.ts';
import { Places } from '../text/source-location.ts';
import { findRefusals } from './refusals.ts';
import { findMarkers } from './markers.ts';
import { remarkAt } from './remark.ts';
import { blank } from '../text/sql-text.ts';
import type { RelationName, ScriptAnalysis, ScriptPlan, ScriptRemark, SqlPiece, Unit, Unread } from './script-plan.ts';
import { isMomentary } from './session-rules.ts';
import { classify, type Statement } from './statements.ts';
import { layOut, type Group, type Layout } from './transaction-layout.ts';

/** With what only `validate` looks at. */
export interface AnalyzedScript extends ScriptAnalysis {
  /** Undefined for a script that the parser cannot read. */
  readonly parsed?: { readonly text: string; readonly statements: readonly Statement[]; readonly mode: Layout['mode'] };
}

export function planScript(read: Reading, directives: Directives, direction: Direction): AnalyzedScript {
  const reading = { ...read, problems: [...findMarkers(read.original, direction), ...read.problems] };
  const { text, parse } = reading;
  if (parse === 'too large') {
    return unread(reading, directives, {}, remarkAt(text, 0, 'the file is larger than 1 MB, so it is not parsed'));
  }
  if (!parse.ok) {
    const syntaxError = remarkAt(
      text,
      parse.offset,
      shortened(withoutQuoted(parse.message, reading.original.slice(0, parse.offset))),
    );
    return {
      ...unread(
        reading,
        directives,
        { at: parse.offset },
        { ...syntaxError, message: `PostgreSQL 18's parser can't read this: ${syntaxError.message}` },
      ),
      syntaxError,
    };
  }
  const statements = classify(parse.statements);
  const layout = layOut(statements, directives.noTransaction);
  const places = new Places(text);
  const remark: Remark = ({ start }, message) => ({ ...places.at(start), message });
  const refusals = statements.flatMap((statement) =>
    findRefusals(statement).map((message) => remark(statement, message)),
  );
  const faults = layout.faults.map(({ statement, message }) => remark(statement, message));
  return {
    plan: planOf(withoutControl(text, layout), layout, directives.noTransaction),
    losses: findLosses(statements),
    problems: [...reading.problems, ...refusals, ...faults].toSorted((a, b) => a.line - b.line || a.column - b.column),
    warnings: warningsOf(text, layout, remark),
    parsed: { text, statements, mode: layout.mode },
  };
}

/** A script that the parser cannot read is sent whole; the server decides. */
function unread(reading: Reading, directives: Directives, place: Unread, why: ScriptRemark): ScriptAnalysis {
  const inSpite = directives.noTransaction ? ', despite its no-transaction directive' : '';
  return {
    plan: {
      mode: 'transaction',
      pieces: [{ sql: reading.text, offset: 0, blocking: true, relations: [], unread: place }],
    },
    losses: UNREAD,
    problems: reading.problems,
    warnings: [{ ...why, message: `${why.message}; the file runs as one transaction${inSpite}` }],
  };
}

/** The parser's message quotes the text where it fails, up to the end of the file. */
function shortened(message: string): string {
  const [line = ''] = maskPasswords(message).split(/[\r\n]/, 1);
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}

/** Blanks the file's own BEGIN and COMMIT, which Lockstep's transaction replaces; all offsets stay valid. */
function withoutControl(text: string, { cuts = [] }: Layout): string {
  return cuts.reduce((rest, { start, end }) => blank(rest, start, end), text);
}

type Remark = (statement: Statement, message: string) => ScriptRemark;

function warningsOf(text: string, { mode, groups, cuts: [cut] = [] }: Layout, remark: Remark): readonly ScriptRemark[] {
  const alone = groups.flatMap(({ statements, block }) => (block ? [] : statements));
  if (!groups.some(({ statements }) => statements.length > 0)) {
    return [remarkAt(text, 0, 'the file contains no statements')];
  }
  if (cut) {
    const parts = groups.length === 1 ? 'one transaction' : `${groups.length} transactions, cut after each COMMIT`;
    return [
      remark(
        cut,
        `some statements are outside BEGIN … COMMIT: the file runs in ${parts}, as the server runs it in one message; psql would commit each of them separately`,
      ),
    ];
  }
  return (mode === 'statements' ? alone : [])
    .filter(({ kind, node }) => isMomentary(kind, node))
    .map((statement) =>
      remark(
        statement,
        'this has no effect on the next statement, which runs in its own transaction: put BEGIN … COMMIT around both',
      ),
    );
}

function planOf(text: string, { mode, groups }: Layout, noTransaction: boolean): ScriptPlan {
  return mode === 'transaction'
    ? {
        mode,
        pieces: piecesOf(
          text,
          groups.flatMap(({ statements }) => statements),
        ),
      }
    : { mode, units: unitsOf(text, groups, noTransaction) };
}

/** Joins neighbouring statements that need the same lock timeout into one piece. */
function piecesOf(text: string, statements: readonly Statement[]): readonly SqlPiece[] {
  const runs: { blocking: boolean; statements: Statement[] }[] = [];
  let ownLockTimeout = false;
  for (const statement of statements) {
    ownLockTimeout ||= statement.setsLockTimeout !== undefined;
    const blocking = statement.blocking && !ownLockTimeout;
    const run = runs.at(-1);
    if (run?.blocking === blocking) run.statements.push(statement);
    else runs.push({ blocking, statements: [statement] });
  }
  return runs.map((run) => ({
    ...span(text, run.statements),
    blocking: run.blocking,
    ...(!run.blocking && run.statements.some(({ blocking }) => blocking) && { ownLimit: true }),
    ...runsCode(run.statements),
    relations: relationsOf(run.statements),
  }));
}

function unitsOf(text: string, groups: readonly Group[], noTransaction: boolean): readonly Unit[] {
  let sessionLockTimeout = false;
  return groups.map(({ statements, block }, position) => {
    const [first] = statements;
    const ownLockTimeout =
      sessionLockTimeout || statements.some(({ setsLockTimeout }) => setsLockTimeout !== undefined);
    sessionLockTimeout ||= statements.some(({ setsLockTimeout }) => setsLockTimeout === 'session');
    const unit = {
      ...span(text, statements),
      index: position + 1,
      kind: first && statements.length === 1 ? first.kind : 'TransactionStmt',
      blocking: !ownLockTimeout && statements.some(({ blocking }) => blocking),
      ...(ownLockTimeout && statements.some(({ blocking }) => blocking) && { ownLimit: true as const }),
      ...runsCode(statements),
      relations: relationsOf(statements),
      transactional: block || !statements.some(({ outside, mayCommit }) => outside || (noTransaction && mayCommit)),
      waitsForSnapshots: statements.some((statement) => statement.waitsForSnapshots),
      concurrentIndexes: statements.flatMap(({ concurrentIndexes }) => concurrentIndexes),
      sessionOnly: statements.every(({ sessionOnly }) => sessionOnly),
      ...(first?.reindexes && { reindexes: first.reindexes }),
      ...(first?.detaches && { detaches: first.detaches }),
      ...(ownLockTimeout && { ownLockTimeout }),
    };
    return { ...unit, ...(!unit.sessionOnly && sessionPart(text, statements, unit)) };
  });
}

function runsCode(statements: readonly Statement[]): Pick<SqlPiece, 'runsCode'> {
  return statements.some(({ kind }) => kind === 'DoStmt' || kind === 'CallStmt') ? { runsCode: true } : {};
}

/** The statements of a unit that change only the session, to be repeated when the script is resumed. */
function sessionPart(text: string, statements: readonly Statement[], unit: Unit): Pick<Unit, 'again'> | undefined {
  const kept = statements.filter(({ sessionOnly }) => sessionOnly);
  if (kept.length === 0) return undefined;
  const others = statements.filter(({ sessionOnly }) => !sessionOnly);
  const rest = others.reduce((all, { start, end }) => blank(all, start, end), text);
  return { again: { ...unit, ...span(rest, kept), blocking: false, relations: [], whole: unit.sql } };
}

function relationsOf(statements: readonly Statement[]): readonly RelationName[] {
  const all = statements.flatMap(({ relations }) => relations);
  return [...new Map(all.map((relation) => [JSON.stringify(relation), relation])).values()];
}

/** The text from the first statement to the last, with the comments between them. */
function span(
  text: string,
  statements: readonly Statement[],
): Pick<SqlPiece, 'sql' | 'offset'> & { readonly starts: readonly number[] } {
  const offset = statements[0]?.start ?? 0;
  return {
    sql: text.slice(offset, statements.at(-1)?.end ?? offset),
    offset,
    starts: statements.map(({ start }) => start),
  };
}
