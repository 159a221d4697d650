/**
 * Uses the tables of many schemas: one message of transactions of a few schemas each, as one transaction over all would
 * fill the server's lock table at its default size.
 */
import { guard } from '../state/attached-objects.ts';
import { journalName } from '../state/relation.ts';
import { PROMPT_MS } from '../wire/channel.ts';
import { BEGIN, OWN_PATH, type Access } from '../wire/own-path.ts';
import { resultsBefore, type ResultSet } from '../wire/simple-query.ts';
import { Statements } from '../wire/statements.ts';
import { identifier, qualified } from '../wire/sql.ts';
import { serverErrorOf } from '../wire/sqlstate.ts';
import type { Wire } from '../wire/wire.ts';
import type { SchemaFacts } from './schemas.ts';

/** Schemas of one transaction: about eight locks each, of the 6,400 that a server has at its default. */
const SEGMENT = 50;

/** What an overloaded server may take for one; usual are 20 ms. */
const SEGMENT_MS = 1_000;

export interface SegmentUse {
  /** Of every history. */
  readonly table: string;
  readonly role: string | undefined;
  readonly access: Access;
  readonly lockTimeoutMs: number;
  /** In the tables of these schemas; the rows of the last one are the answer. */
  readonly statements: (schemas: readonly string[]) => readonly string[];
}

export interface SegmentAnswer {
  readonly segment: readonly SchemaFacts[];
  /** Undefined where it failed: each of its schemas must be looked at alone. */
  readonly result: ResultSet | undefined;
}

/** `before` is a query that is sent ahead; the result of it comes first. @throws MigratorError as it does. */
export async function inSegments(
  wire: Wire,
  facts: readonly SchemaFacts[],
  use: SegmentUse,
  before?: string,
): Promise<{ readonly answers: readonly SegmentAnswer[]; readonly first: ResultSet | undefined }> {
  const segments = Array.from({ length: Math.ceil(facts.length / SEGMENT) }, (_, index) =>
    facts.slice(index * SEGMENT, (index + 1) * SEGMENT),
  );
  const ahead = before === undefined ? [] : [[BEGIN.read, OWN_PATH, before]];
  const sent = await sendAll(wire, [...ahead, ...segments.map((segment) => segmentStatements(segment, use))]);
  const [first] = ahead.length === 0 ? [] : sent.splice(0, 1);
  if (first instanceof Error) throw first;
  const answers = segments.map((segment, index) => {
    const result = sent[index];
    return { segment, result: result instanceof Error ? undefined : result };
  });
  return { answers, first };
}

function segmentStatements(segment: readonly SchemaFacts[], use: SegmentUse): string[] {
  const { table, role, access, lockTimeoutMs } = use;
  const tables = segment.flatMap(({ schema }) => [qualified(schema, table), qualified(schema, journalName(table))]);
  const oids = segment.flatMap((one) => one.oids ?? []).join(', ');
  return [
    BEGIN[access],
    OWN_PATH,
    `SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', '${lockTimeoutMs}', true)`,
    ...(role === undefined ? [] : [`SET LOCAL ROLE ${identifier(role)}`]),
    `LOCK TABLE ${tables.join(', ')} IN ${access === 'read' ? 'ACCESS SHARE' : 'ROW EXCLUSIVE'} MODE`,
    guard(access, oids, 'plain'),
    ...use.statements(segment.map(({ schema }) => schema)),
  ];
}

/** Of each transaction, what its last statement said, or why it failed. */
async function sendAll(wire: Wire, transactions: readonly (readonly string[])[]): Promise<(ResultSet | Error)[]> {
  const answers: (ResultSet | Error)[] = [];
  // The server ends a message at its first error: what comes after that transaction is sent again, without it.
  while (answers.length < transactions.length) {
    const left = transactions.slice(answers.length);
    const message = new Statements();
    for (const [index, statements] of left.entries()) {
      for (const [at, sql] of statements.entries()) message.add(sql, `${index}.${at - statements.length}`);
      message.add('COMMIT', `${index}`);
    }
    const { results, error } = await send(wire, message, PROMPT_MS + left.length * SEGMENT_MS);
    for (const index of left.keys()) {
      const answer = message.result(`${index}.-1`, results);
      answers.push(answer && message.result(`${index}`, results) ? answer : (error ?? new Error('no answer')));
      if (answers.at(-1) instanceof Error) break;
    }
  }
  return answers;
}

async function send(
  wire: Wire,
  message: Statements,
  limitMs: number,
): Promise<{ readonly results: readonly ResultSet[]; readonly error?: Error }> {
  try {
    return { results: await wire.transactionAsIs(wire.encoding.encode(message.text), { limitMs }) };
  } catch (error) {
    if (!serverErrorOf(error)) throw error;
    return { results: resultsBefore(error), error: error as Error };
  }
}
