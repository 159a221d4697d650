/** One session that applies migrations and rolls them back, one after another, as a run does with its steps. */
import { MigratorError, toMigratorError } from '../../core/errors.ts';
import type { Migration, Script, Version } from '../../core/migration.ts';
import type { Session, StepScript } from '../../core/ports.ts';
import type { Scratch } from '../../core/scratch.ts';
import { applyStep } from '../apply/apply.ts';
import { analyzeSteps } from '../migrate/analyze-steps.ts';
import { Progress } from '../migrate/progress.ts';
import { connect } from '../session/connect.ts';
import { interruptedBy, interruption } from '../session/interrupting.ts';
import type { ProveOptions, ProvePorts } from './options.ts';

export class Track {
  readonly #options: ProveOptions;
  readonly #ports: ProvePorts & Pick<Scratch, 'hooks'>;
  readonly #session: Session;

  private constructor(options: ProveOptions, ports: ProvePorts & Pick<Scratch, 'hooks'>, session: Session) {
    this.#options = options;
    this.#ports = ports;
    this.#session = session;
  }

  /** With the lock and with our tables, as a run has them before its first step. */
  static async open(options: ProveOptions, ports: ProvePorts, scratch: Scratch): Promise<Track> {
    const all = { ...ports, ...scratch };
    const { session } = await connect({ ...options, writes: true }, all, options.signal);
    try {
      await session.configure();
      if (!(await session.lock.tryAcquire()))
        throw new MigratorError('LOCK_TIMEOUT', 'another run has the lock of the scratch database');
      await session.history.ensureTables();
      await session.journal.startRun();
      return new Track(options, all, session);
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  async up(migration: Migration): Promise<void> {
    const { version, up } = migration;
    await this.#apply({ direction: 'up', version, migration, script: up });
  }

  async down(version: Version, script: Script): Promise<void> {
    await this.#apply({ direction: 'down', version, script, source: 'file', hold: false });
  }

  async #apply(step: StepScript): Promise<void> {
    const { signal } = this.#options;
    const session = this.#session;
    const context = { options: { ...this.#options, cancelBlockedWaiters: false }, ports: this.#ports, signal };
    try {
      for (const planned of await analyzeSteps([step], this.#ports))
        await interruptedBy(signal, session, () => applyStep(session, planned, context));
    } catch (error) {
      if (signal.aborted) throw interruption(signal);
      throw await new Progress(step.direction, false, this.#ports).stepFailed(session, step, toMigratorError(error));
    }
  }

  /** Never rejects: the database is given up, or was left as it was. */
  async close(): Promise<void> {
    const { journal, lock, lost } = this.#session;
    if (!lost.aborted) await journal.endRun(undefined).catch(() => undefined);
    if (!lost.aborted) await lock.release().catch(() => undefined);
    await this.#session.close();
  }
}
