/** One run with one fault at one step, its rivals, the plain run after it, and the conditions that must hold then. */
import { expect } from 'chai';

import { runCli, startCli, type CliProcess, type CliResult } from '../../support/cli.ts';
import { versionsOf, type Files } from '../../support/migrations.ts';
import { Workspace } from '../../support/workspace.ts';
import { expectDocumented, expectEverybodyGone, expectSoundJournal, readState, type State } from './aftermath.ts';
import { BLOCKERS, openBlocker, type BlockerKind } from './blockers.ts';
import type { Fault } from './faults.ts';
import { rivalsOf } from './rivals.ts';
import { StepProxy, type AtStep, type Step } from './step-proxy.ts';

interface RecordedStep {
  readonly name: string;
  readonly type: string;
  /** Without the parts that differ between runs. */
  readonly text: string;
}

/** The steps of a run without a fault. */
export interface Recording {
  readonly files: Files;
  readonly steps: readonly RecordedStep[];
  /** The first step at which the run has the lock. */
  readonly locked: string;
  readonly state: State;
}

function describeStep({ name, message: { type, text } }: Step, { schema }: Workspace): RecordedStep {
  const uuid = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;
  // The startup packet names the database, which differs between lanes.
  if (type === 'startup') return { name, type, text: '' };
  return { name, type, text: text.replaceAll(schema, 'the_schema').replaceAll(uuid, 'uuid').replaceAll(/\d+/g, '#') };
}

/** Runs `up` through a proxy that stops at each of its messages. */
async function runThrough(
  workspace: Workspace,
  at: (step: Step, run: CliProcess) => Promise<unknown>,
): Promise<CliResult> {
  const started = Promise.withResolvers<CliProcess>();
  const stopAt: AtStep = async (step) => {
    await at(step, await started.promise);
  };
  const proxy = await StepProxy.start(workspace.url, stopAt);
  workspace.defer(() => proxy.stop());
  const run = startCli(['up'], { env: { ...workspace.env, DATABASE_URL: proxy.url, LOCKSTEP_POD: 'victim' } });
  started.resolve(run);
  const result = await run.exited;
  if (proxy.failures.length > 0) throw proxy.failures[0];
  return result;
}

/** Records a run, and verifies that it succeeds. */
export async function record(serverUrl: string, files: Files): Promise<Recording> {
  return await inWorkspace(serverUrl, files, async (workspace) => {
    const steps: RecordedStep[] = [];
    const result = await runThrough(workspace, async (step) => {
      steps.push(describeStep(step, workspace));
      await step.link.forward(step.message);
    });
    expectDocumented('a run without a fault', result, [0]);
    const tried = steps.findIndex(({ text }) => text.includes('pg_try_advisory_lock('));
    const state = await readState(workspace);
    await expectEverybodyGone(workspace);
    await expectSoundJournal(workspace, versionsOf(files));
    return { files, steps, locked: steps[tried + 1]!.name, state };
  });
}

/** A statement of a migration, and the kind of session that blocks it. */
export interface Stop {
  readonly step: RecordedStep;
  readonly blocker: BlockerKind;
}

/** Every possible wait of the run: each of its statements with each of the blockers. */
export async function findStops(serverUrl: string, recording: Recording): Promise<Stop[]> {
  const stops: Stop[] = [];
  const statements = new Set(statementsOf(recording).map(({ name }) => name));
  for (const blocker of BLOCKERS) {
    await inWorkspace(serverUrl, recording.files, async (workspace) => {
      const result = await runThrough(workspace, async ({ name, link, message }) => {
        if (!statements.has(name)) return void link.forward(message);
        const open = await openBlocker(workspace, blocker);
        const answered = link.forward(message);
        if (await open.stops(link.backend ?? 0, answered))
          stops.push({ step: recording.steps.find((step) => step.name === name)!, blocker });
        await open.end();
        return answered;
      });
      expectDocumented('a run that is only held up', result, [0]);
      expect(await readState(workspace)).to.deep.equal(recording.state);
    });
  }
  return stops;
}

/** Messages that contain SQL of a migration file, and so may wait for other sessions. */
function statementsOf({ steps, files }: Recording): Recording['steps'] {
  const texts = Object.entries(files)
    .filter(([name]) => name.endsWith('.sql'))
    .flatMap(([, text]) => text.split(';\n'));
  const lines = texts
    .map((text) => text.trim().replaceAll(/\d+/g, '#'))
    .filter((text) => text.length > SHORTEST_STATEMENT);
  return steps.filter(({ type, text }) => type === 'Q' && lines.some((line) => text.includes(line)));
}

/** Lockstep's own messages contain `BEGIN` and the like too. */
const SHORTEST_STATEMENT = 12;

export interface Point {
  readonly step: RecordedStep;
  readonly fault: Fault;
  readonly blocker?: BlockerKind;
}

/** @throws Error when the next run needs an operator, or a condition is violated. */
export async function tryPoint(
  serverUrl: string,
  { files, locked, state }: Recording,
  { step, fault, blocker }: Point,
): Promise<void> {
  await inWorkspace(serverUrl, files, async (workspace) => {
    const rivals = rivalsOf(workspace, fault.rivals);
    let struck: Promise<boolean> | undefined;
    const result = await runThrough(workspace, async (now, run) => {
      if (now.name === locked) await rivals.queue();
      if (now.name !== step.name) return void now.link.forward(now.message);
      expect(describeStep(now, workspace), 'the step').to.deep.equal(step);
      rivals.start();
      const passed = now.link.passed(now.message);
      struck = fault.strike({ step: now, run, workspace, blocker });
      // The fault on a blocked statement strikes in parallel with the messages that follow.
      await (blocker === undefined ? struck : Promise.race([struck, passed]));
    });
    expect(await struck, 'whether there was something to strike').to.equal(true);
    // Terminate has no answer to wait for: the process may have ended by itself before the fault strikes.
    const hasEnded = step.type === 'X' && result.signal === null;
    if (fault.exits !== 'killed') expectDocumented('the victim', result, fault.exits);
    else if (hasEnded) expectDocumented('the victim', result, [0]);
    else expect(result.signal, result.stderr).to.equal('SIGKILL');
    await rivals.ended();
    expectDocumented('the plain run', await runCli(['up'], { env: { ...workspace.env, LOCKSTEP_POD: 'plain' } }), [0]);
    expect(await readState(workspace)).to.deep.equal(state);
    await expectEverybodyGone(workspace);
    await expectSoundJournal(workspace, versionsOf(files));
  });
}

async function inWorkspace<T>(serverUrl: string, files: Files, body: (workspace: Workspace) => Promise<T>): Promise<T> {
  const workspace = await Workspace.create(serverUrl);
  try {
    await workspace.write(files);
    return await body(workspace);
  } finally {
    await workspace.close({ keep: false });
  }
}
