// Answers: what do the generated tables of the docs say? Writes them anew from the code; test/unit/docs.test.ts fails
// when they differ.
import { readFile, writeFile } from 'node:fs/promises';
import { REASONS } from '../src/adapters/kubernetes/reasons.ts';
import { COMMAND_NAMES, COMMANDS, synopsisOf, TOPICS } from '../src/cli/commands.ts';
import { MigratorError, type ErrorCode } from '../src/core/errors.ts';
import type { CommandName } from '../src/core/runner.ts';
import {
  envOf,
  flagOf,
  negatedFlagOf,
  OPTION_KEYS,
  OPTIONS,
  optionEntry,
  type OptionKey,
} from '../src/config/options.ts';
import { RULES_PAGE } from './docs/rules-page.ts';
import { code, table } from './docs/tables.ts';

/** The blocks of each page, by the name that stands in its markers. */
const PAGES = {
  'README.md': { commands },
  'docs/settings.md': { options },
  'docs/rules.md': RULES_PAGE,
  'docs/kubernetes.md': { 'event-reasons': eventReasons },
} as const satisfies Record<string, Readonly<Record<string, () => string>>>;

export type GeneratedPage = keyof typeof PAGES;
export const GENERATED_PAGES = Object.keys(PAGES) as readonly GeneratedPage[];

/** The text of that page with every generated block made anew. */
export function withGenerated(markdown: string, page: GeneratedPage): string {
  return Object.entries<() => string>(PAGES[page]).reduce(
    (text, [name, make]) => replaceBlock(text, name, make()),
    markdown,
  );
}

function replaceBlock(markdown: string, name: string, content: string): string {
  const [begin, end] = [`<!-- generated: ${name} (npx node scripts/docs.ts) -->`, `<!-- end of ${name} -->`];
  const from = markdown.indexOf(begin);
  const to = markdown.indexOf(end, from);
  if (from === -1 || to === -1) throw new Error(`the page has no place for ${name}: ${begin} … ${end}`);
  return `${markdown.slice(0, from)}${begin}\n${content}\n${markdown.slice(to)}`;
}

function commands(): string {
  const rows = TOPICS.map((topic) => {
    const { summary, details } = COMMANDS[topic];
    return [code(synopsisOf(topic)), details === undefined ? summary : `${summary}: ${details}`];
  });
  return table(['command', 'does'], rows);
}

function options(): string {
  const rows = OPTION_KEYS.map((key) => [
    flagCell(key),
    envCell(key),
    commandsCell(optionEntry(key).commands),
    defaultCell(key),
    optionEntry(key).help,
  ]);
  const withDatabase = OPTIONS.databaseUrl.commands.join(', ');
  return `${table(['flag', 'variable', 'for', 'default', 'meaning'], rows)}\n\n*database*: ${withDatabase}.`;
}

/** A boolean that is on by default has its `--no-` flag in the table: that is the one that changes something. */
function isOn(key: OptionKey): boolean {
  const { type, default: text } = optionEntry(key);
  return type === 'boolean' && text === 'true';
}

function flagCell(key: OptionKey): string {
  const { short } = optionEntry(key);
  return `${code(isOn(key) ? negatedFlagOf(key) : flagOf(key))}${short === undefined ? '' : `, ${code(`-${short}`)}`}`;
}

function envCell(key: OptionKey): string {
  const { standardEnv } = optionEntry(key);
  const own = code(isOn(key) ? `${envOf(key)}=false` : envOf(key));
  return standardEnv === undefined ? own : `${own}, else ${code(standardEnv)}`;
}

function commandsCell(commands: readonly CommandName[]): string {
  if (commands.length === COMMAND_NAMES.length) return 'all';
  const withDatabase: readonly CommandName[] = OPTIONS.databaseUrl.commands;
  if (withDatabase.some((name) => !commands.includes(name))) return commands.join(', ');
  return ['*database*', ...commands.filter((name) => !withDatabase.includes(name))].join(', ');
}

function defaultCell(key: OptionKey): string {
  const { type, default: text, defaultHelp, choices } = optionEntry(key);
  if (type === 'boolean') return '';
  const standard = defaultHelp ?? (text === undefined ? '' : code(text));
  return choices === undefined ? standard : `${standard} (${choices.map(code).join(', ')})`;
}

/** Two for INTERRUPTED: which signal it was. */
export function exitsOf(code: ErrorCode): number[] {
  const signals = code === 'INTERRUPTED' ? (['SIGINT', 'SIGTERM'] as const) : [undefined];
  return signals.map((signal) => new MigratorError(code, '', { signal }).exit);
}

function eventReasons(): string {
  const rows = Object.entries(REASONS).map(([reason, { type, when }]) => [code(reason), type, when]);
  return table(['reason', 'type', 'when'], rows);
}

if (import.meta.main) {
  for (const page of GENERATED_PAGES) {
    const file = new URL(`../${page}`, import.meta.url);
    const before = await readFile(file, 'utf8');
    const after = withGenerated(before, page);
    if (after !== before) await writeFile(file, after);
    console.log(after === before ? `${page} is as it should be.` : `${page} is written anew.`);
  }
}
