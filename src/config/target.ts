/** Which database of a fleet does this run work on, and where is its address? */
import { nearest } from '../core/text/nearest.ts';
import type { RawOptions } from './options.ts';
import type { AddressSettings } from './settings.ts';
import { shown, type OptionValues } from './option-values.ts';

type TargetValues = Pick<OptionValues, 'target' | 'targets' | 'targetIndex' | 'targetsDir'>;

/** Undefined where the settings name no fleet. */
export function targetOf({ target, targets, targetIndex }: TargetValues): string | undefined {
  return target ?? (targetIndex === undefined ? undefined : targets?.[targetIndex]);
}

/** The setting that the address comes from: of a target, a file of its name. */
export function addressOf(
  values: TargetValues & Pick<OptionValues, 'databaseUrl' | 'databaseUrlFile'>,
): AddressSettings {
  const { databaseUrl, databaseUrlFile, targetsDir } = values;
  const target = targetOf(values);
  return targetsDir === undefined || target === undefined
    ? { databaseUrl, databaseUrlFile }
    : { databaseUrlFile: targetFile(targetsDir, target) };
}

export function targetFile(targetsDir: string, target: string): string {
  return `${targetsDir.replace(/\/+$/, '')}/${target}`;
}

/** How many names a message lists. */
const LISTED = 10;

export function targetProblems({ command }: Pick<RawOptions, 'command'>, values: TargetValues): string[] {
  const { target, targets, targetIndex, targetsDir } = values;
  if (command !== 'fleet' && target === undefined && targets === undefined && targetsDir === undefined) return [];
  const noDir =
    targetsDir === undefined
      ? ['--targets-dir: needed; the directory with the address of each target, in a file of its name']
      : [];
  if (command === 'fleet') return noDir;
  if (target !== undefined && targets !== undefined && !targets.includes(target)) {
    const guess = nearest(target, targets);
    const more = guess === undefined ? '' : `; did you mean ${shown(guess)}?`;
    return [...noDir, `--target: ${shown(target)} is not one of the ${targets.length} names in --targets${more}`];
  }
  if (targetOf(values) !== undefined) return noDir;
  if (targets === undefined) return [...noDir, '--target: needed; the name of a file in --targets-dir'];
  return [
    ...noDir,
    targetIndex === undefined
      ? `--target: needed; one of ${targets.slice(0, LISTED).join(', ')}${targets.length > LISTED ? ', …' : ''}`
      : `--target-index: ${targetIndex} is too much; --targets has ${targets.length}, counted from 0`,
  ];
}
