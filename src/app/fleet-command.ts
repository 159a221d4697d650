/** Runs `fleet status`: from Config to Answer. */
import { createFileSource } from '../adapters/files/source.ts';
import { namesOfTargets } from '../adapters/files/targets.ts';
import type { FleetConfig } from '../config/config.ts';
import { targetFile } from '../config/target.ts';
import { fleetError } from '../core/fleet.ts';
import type { Reporter } from '../core/ports.ts';
import { readFleet, type Target } from '../engine/commands/fleet-status.ts';
import { fleetDocument, formatFleet } from '../output/fleet.ts';
import type { Answer, ProcessContext } from './process-context.ts';
import { openPorts, type Wiring } from './wiring.ts';

export async function fleetAnswer(config: FleetConfig, context: ProcessContext, wiring: Wiring): Promise<Answer> {
  const { migrations } = await createFileSource(config.files).read();
  const names = config.targets ?? (await namesOfTargets(config.targetsDir));
  const targets = names.map((name): Target => ({ name, open: () => open(name, config, context, wiring) }));
  const reports = await readFleet(targets, migrations, { parallel: config.parallel, signal: context.signal });
  const error = fleetError(reports);
  return {
    document: fleetDocument(reports, error),
    text: formatFleet(reports, context.screen?.columns()),
    error,
  };
}

function open(name: string, config: FleetConfig, context: ProcessContext, wiring: Wiring): ReturnType<Target['open']> {
  const { connection } = config;
  const ports = openPorts(
    { ...config, connection: { ...connection, databaseUrlFile: targetFile(config.targetsDir, name) } },
    context,
    { ...wiring, reporter: warningsOf(name, wiring.reporter) },
  );
  const options = { runner: ports.runner, connectWaitMs: connection.connectWaitMs, signal: context.signal };
  return { options, ports };
}

/** Who connects to hundreds of databases wants no line for each; what is wrong with one is in its row. */
function warningsOf(target: string, reporter: Reporter): Reporter {
  return {
    report(event) {
      if (event.type === 'warning') reporter.report({ ...event, message: `${target}: ${event.message}` });
    },
  };
}
