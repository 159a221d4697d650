/** Server settings in an address: `options=-c name=value`, and every keyword that libpq does not know. */
import { foreignParameter } from './keywords.ts';

const NAME = /^[a-z_][a-z0-9_.]*$/i;

/** Parses `options` as the server parses its command line; only `-c name=value` and `--name=value` are supported. */
export function parseOptions(options: string): Map<string, string> | { readonly problem: string } {
  const settings = new Map<string, string>();
  // Words are separated by blanks; a backslash escapes the next character (pg_split_opts).
  const words = [...options.matchAll(/(?:[^\s\\]|\\.)+/gs)].map(([word]) => word.replace(/\\(.)/gs, '$1'));
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const assignment = word === '-c' ? words.shift() : /^(?:--|-c)(.+)$/s.exec(word)?.[1];
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(assignment ?? '') ?? [];
    if (name === undefined || value === undefined)
      return { problem: 'only -c name=value and --name=value are supported' };
    settings.set(name.replaceAll('-', '_'), value);
  }
  return settings;
}

/** Why `name` cannot be a server setting; undefined if it can. */
export function settingProblem(name: string): string | undefined {
  const foreign = foreignParameter(name);
  if (foreign !== undefined) return foreign;
  if (/^transaction_(?:isolation|read_only|deferrable)$/i.test(name))
    return `applies to one transaction, not to a session; use default_${name.toLowerCase()}`;
  return NAME.test(name) ? undefined : 'neither a libpq keyword nor the name of a server setting';
}
