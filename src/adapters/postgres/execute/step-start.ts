/** Starts a step: resets the session to its state before any migration, and records the start in the journal. */
import type { StepScript } from '../../../core/ports.ts';
import { CALLER_RESET_STATEMENTS } from '../state/caller-settings.ts';
import type { SessionContext } from '../state/context.ts';
import { chosenStatements, RESET_STATEMENTS, setStatement } from '../state/settings.ts';
import { ownLimits } from '../state/use-tables.ts';
import { journalInsert } from '../tables/journal-entries.ts';
import { useTables } from '../tables/record.ts';
import { Message } from '../wire/message.ts';
import { BEGIN, OWN_PATH } from '../wire/own-path.ts';
import { literal } from '../wire/sql.ts';
import { send } from './send.ts';

const READY = 'lockstep.ready';

interface Ready {
  readonly step: StepScript;
  readonly answered: Promise<unknown>;
}

export class StepStart {
  readonly #context: SessionContext;
  /** The step for which the session is, or soon will be, ready. */
  #ready: Ready | undefined;
  /** The step whose start the journal has recorded last. */
  recorded: StepScript | undefined;

  constructor(context: SessionContext) {
    this.#context = context;
  }

  /** Sends the reset, and the journal entry unless the journal has it already. */
  async begin(step: StepScript): Promise<void> {
    await this.makeReady(step, { isRecorded: this.recorded === step });
    this.recorded = step;
  }

  /** Sent once for a step, unless it fails. `isRecorded`: the start of the step is recorded elsewhere. */
  makeReady(step: StepScript, { isRecorded }: { readonly isRecorded: boolean }): Promise<unknown> {
    if (this.#ready?.step === step) return this.#ready.answered;
    const { relation, runner, wire } = this.#context;
    const message = new Message(wire.encoding.encode).add(...this.#reset([READY, this.#markOf(step)]));
    if (!isRecorded) {
      message.add(OWN_PATH, ...ownLimits(this.#context));
      // Only for people who look while it runs: not worth waiting for the disk.
      useTables(this.#context, message).add(
        'SET LOCAL synchronous_commit = off',
        journalInsert(relation.journal, runner, { event: 'started', step }),
      );
    }
    const ready = { step, answered: send(this.#context, message.add('COMMIT')) };
    this.#ready = ready;
    ready.answered.catch(() => {
      if (this.#ready === ready) this.#ready = undefined;
    });
    return ready.answered;
  }

  /**
   * A statement that fails (22012) when the session is not ready for this step: a message runs even if the one before
   * it failed.
   */
  unlessReady(step: StepScript): string {
    return `SELECT 1 / (pg_catalog.current_setting('${READY}', true) IS NOT DISTINCT FROM ${literal(this.#markOf(step))})::integer`;
  }

  /** Removes what the last script left in the session, before a hook and at the end of the run. Never rejects. */
  async leaveNothing(): Promise<void> {
    // The session is ready for no step any more, not even for the same one again.
    this.#ready = undefined;
    const statements = [...this.#reset(), 'COMMIT'];
    await this.#context.wire.transactionAsIs(statements.join(';\n'), { keepRows: false }).catch(() => undefined);
  }

  /** Begins a transaction that resets the session to its state before any migration. */
  #reset(...more: readonly (readonly [name: string, value: string])[]): string[] {
    const { accepted, callerSettings, settings } = this.#context;
    return [
      BEGIN.write,
      ...(callerSettings ? CALLER_RESET_STATEMENTS : RESET_STATEMENTS),
      setStatement([...accepted, ...more]),
      ...chosenStatements(settings),
    ];
  }

  #markOf({ version }: StepScript): string {
    return `${this.#context.runner.run} ${version}`;
  }
}
