/** Which settings of one command do not go together? */
import { CONVERT_TOOLS, FROM_TOOLS, type ConvertTool } from '../core/import/foreign-history.ts';
import { shown, type OptionValues } from './option-values.ts';
import type { RawOptions } from './options.ts';

/** What is wrong with this command's settings together. */
export function commandProblems({ command, name, flags }: RawOptions, values: OptionValues): string[] {
  if (command === 'baseline' && values.to === undefined)
    return ['--to: needed; the newest version that the database already has'];
  if (command === 'import') return importProblems(values, flags);
  if (command === 'repair') return repairProblems(values);
  if (command === 'down' && flags.confirm !== undefined && !values.all)
    return ['--confirm: can be used only with --all'];
  if (command === 'validate' && values.json && !['text', 'json'].includes(values.format))
    return [`--json: cannot be used with --format ${values.format}`];
  if (command === 'fleet' && name !== 'status') return ['fleet: needs the word status: lockstep fleet status'];
  return command === 'create' ? createProblems(name) : [];
}

function createProblems(name: string | undefined): string[] {
  if (name === undefined) return ['NAME: needed, for example: lockstep create add_users'];
  return /^[\w-]{1,100}$/.test(name)
    ? []
    : [`NAME: ${shown(name)} may contain only letters, digits, _ and -, at most 100 of them`];
}

function importProblems({ importFrom, oldDir, dir, fromTable }: OptionValues, flags: RawOptions['flags']): string[] {
  if (importFrom === undefined)
    return flags.importFrom === undefined ? [`--from: needed; one of ${FROM_TOOLS.join(', ')}`] : [];
  if (oldDir === undefined)
    return importFrom === 'graphile-migrate'
      ? ['--from: the history of graphile-migrate cannot be imported; its files can be converted with --files OLD_DIR']
      : [];
  return [
    ...(isConvertTool(importFrom)
      ? []
      : [`--files: the files of ${importFrom} can stay as they are; give their directory as --dir`]),
    ...(fromTable === undefined ? [] : ['--from-table: cannot be used with --files, which connects to no database']),
    ...(oldDir.replace(/\/+$/, '') === dir.replace(/\/+$/, '')
      ? ['--files: is the same directory as --dir, where the new files are written']
      : []),
  ];
}

function repairProblems({ only, statement, rename, reset, down, history }: OptionValues): string[] {
  const asked = [
    ...(statement === undefined ? [] : ['--statement']),
    ...(reset ? ['--reset'] : []),
    ...(down === undefined ? [] : ['--down']),
    ...(rename === undefined ? [] : ['--rename']),
    ...(history === undefined ? [] : ['--history']),
  ];
  return [
    ...(reset && only === undefined
      ? ['--reset: needs --only with the version whose progress is to be forgotten']
      : []),
    ...(asked.length > 1 ? [`give only one of ${asked.join(', ')}`] : []),
  ];
}

export function isConvertTool(tool: string): tool is ConvertTool {
  return CONVERT_TOOLS.some((one) => one === tool);
}
