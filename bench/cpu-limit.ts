// Answers: how long does a command take where it may have a tenth of a processor, as many pods do? A cgroup sets the limit.
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from './command.ts';

const V1 = '/sys/fs/cgroup/cpu';
const V2 = '/sys/fs/cgroup';
const PERIOD_US = 100_000;

export interface CpuLimit {
  /** The same command, below the limit. */
  readonly below: (command: Command) => Command;
  readonly remove: () => void;
}

/** Kubernetes' `cpu: 100m`. Undefined where this process may not make a cgroup. */
export function cpuLimit(thousandths: number): CpuLimit | undefined {
  const quota = (PERIOD_US * thousandths) / 1000;
  const name = `lockstep-bench-${process.pid}`;
  return (
    limitIn(join(V1, name), 'tasks', [
      ['cpu.cfs_period_us', String(PERIOD_US)],
      ['cpu.cfs_quota_us', String(quota)],
    ]) ?? limitIn(join(V2, name), 'cgroup.procs', [['cpu.max', `${quota} ${PERIOD_US}`]])
  );
}

function limitIn(group: string, members: string, settings: readonly [string, string][]): CpuLimit | undefined {
  try {
    mkdirSync(group);
  } catch {
    return undefined;
  }
  try {
    for (const [file, value] of settings) writeFileSync(join(group, file), value, { flag: 'r+' });
  } catch {
    rmdirSync(group);
    return undefined;
  }
  return {
    below: ({ file, args, ...command }) => ({
      ...command,
      file: '/bin/sh',
      args: ['-c', `echo $$ > ${join(group, members)} && exec "$@"`, 'sh', file, ...args],
    }),
    remove: () => rmdirSync(group),
  };
}
