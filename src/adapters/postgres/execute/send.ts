/** Sends a message that uses history and journal, and says why it failed. */
import type { Unit, Unread } from '../../../core/sql/script-plan.ts';
import type { StepScript } from '../../../core/ports.ts';
import type { SessionContext } from '../state/context.ts';
import { explainGuard, ownLimits, withTableHolders } from '../state/use-tables.ts';
import { useTables } from '../tables/record.ts';
import { Message } from '../wire/message.ts';
import { BEGIN, OWN_PATH } from '../wire/own-path.ts';
import { resultsBefore } from '../wire/simple-query.ts';
import { stepError } from './step-error.ts';

/**
 * The guard found something that may be harmless: the message must be made and sent again. Never leaves this folder.
 */
class LookCloser extends Error {}

/** Tries once more when the guard found something that is harmless at a closer look; the first try left nothing. */
export async function lookingCloser<T>(attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    if (!(error instanceof LookCloser)) throw error;
    return await attempt();
  }
}

/** What a message belongs to, for its errors. */
interface Sent {
  readonly step: StepScript;
  readonly unit?: Unit;
  readonly unread?: Unread | undefined;
}

/** Without `sent`, an error is not one of a step. To be called inside `lookingCloser`. */
export async function send(context: SessionContext, message: Message, sent?: Sent): Promise<void> {
  const { relation, wire } = context;
  // A connection that is lost before sending leaves no doubt: nothing of the message ran.
  if (sent) wire.lost.throwIfAborted();
  try {
    const text = message.text.replace(/;\n$/, '');
    await wire.transactionAsIs(text, { keepRows: false, promptly: !message.hasSource });
  } catch (error) {
    const cause = await explained(context, message, error).catch((thrown: unknown) => thrown);
    throw cause instanceof LookCloser || !sent ? cause : stepError(cause, sent.step, { message, relation, ...sent });
  }
}

/** The error, with what kept us from the tables. */
async function explained(context: SessionContext, message: Message, error: unknown): Promise<unknown> {
  const failed = message.ownFailure(resultsBefore(error));
  if (failed === 'guard') return (await explainGuard(context, error)) ?? new LookCloser();
  return failed === 'tables' ? await withTableHolders(context, 'both', error) : error;
}

/** A transaction without any text of a file, begun and with both tables locked. */
export function ownMessage(context: SessionContext): Message {
  const message = new Message(context.wire.encoding.encode).add(BEGIN.write, OWN_PATH, ...ownLimits(context));
  return useTables(context, message);
}
