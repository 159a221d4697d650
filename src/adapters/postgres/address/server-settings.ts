/** Server settings that an address asks for: `options=-c name=value`, and every keyword that libpq does not know. */
import { foreignParameter } from './keywords.ts';

const NAME = /^[a-z_][a-z0-9_.]*$/i;

/** `options`, read as the server reads its command line: only `-c name=value` and `--name=value`. */
export function parseOptions(options: string): Map<string, string> | { readonly problem: string } {
  const settings = new Map<string, string>();
  // Blanks part the words; a backslash takes the next character as it is (pg_split_opts).
  const words = [...options.matchAll(/(?:[^\s\\]|\\.)+/gs)].map(([word]) => word.replace(/\\(.)/gs, '$1'));
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const assignment = word === '-c' ? words.shift() : /^(?:--|-c)(.+)$/s.exec(word)?.[1];
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(assignment ?? '') ?? [];
    if (name === undefined || value === undefined)
      return { problem: 'only -c name=value and --name=value are possible' };
    settings.set(name.replaceAll('-', '_'), value);
  }
  return settings;
}

/** Why `name` can't be a server setting; undefined when it can. */
export function settingProblem(name: string): string | undefined {
  const foreign = foreignParameter(name);
  if (foreign !== undefined) return foreign;
  if (/^transaction_(?:isolation|read_only|deferrable)$/i.test(name))
    return `is of one transaction and not of a session; take default_${name.toLowerCase()}`;
  return NAME.test(name) ? undefined : 'neither a libpq keyword nor the name of a server setting';
}
