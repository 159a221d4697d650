/**
 * Judges file names that are not Lockstep's (another tool's? a backup?), and recognises numbers that are dates or
 * times.
 */
import { MigratorError } from './errors.ts';
import { versionNumber, type Migration, type Version } from './migration.ts';

/** Something about the files that a person should know. */
export interface FileRemark {
  readonly message: string;
  /** `--strict` refuses it. */
  readonly strict: boolean;
}

/** Why a file cannot be used (exit 21). */
export interface FileProblem {
  readonly file: string;
  readonly message: string;
}

/** The remarks as warnings. @throws MigratorError MIGRATIONS_INVALID for what `strict` refuses. */
export function judgeRemarks(remarks: readonly FileRemark[], strict: boolean): string[] {
  const refused = remarks.filter((remark) => strict && remark.strict).map(({ message }) => message);
  if (refused.length === 0) return remarks.map(({ message }) => message);
  throw new MigratorError('MIGRATIONS_INVALID', 'the directory has files that are not Lockstep migrations', {
    problems: refused,
    hint: 'rename or remove them; without --strict it is only a warning',
  });
}

/** `refused`: golang-migrate would apply it. `other tool`: another one would. */
type NameVerdict = 'refused' | 'other tool' | 'nothing';

/** golang-migrate's own pattern (source/parse.go). */
const GOLANG_MIGRATE = /^\d+_.*\.(?:down|up)\..*$/s;
const CODE = '(?:go|js|cjs|mjs|ts|cts|mts|py|rb|php|java|kt|ex|exs|fizz)';
const OTHER_TOOL = new RegExp(String.raw`^(?:\d+[_.-]|[VUB]\d[\w.]*__|R__).*\.${CODE}$`, 's');
const NO_MIGRATION = /(?:_test\.\w+|\.(?:test|spec)\.\w+|\.d\.[cm]?ts)$/;
const BACKUP = /(?:~|\.(?:bak|orig|rej|swp))$/;

/** Judges a file whose name is not a migration's; `names` are all files of the directory. */
export function judgeName(name: string, names: ReadonlySet<string>): NameVerdict {
  if (BACKUP.test(name) && names.has(name.replace(BACKUP, ''))) return 'nothing';
  if (OTHER_TOOL.test(name)) return NO_MIGRATION.test(name) ? 'nothing' : 'other tool';
  return GOLANG_MIGRATE.test(name) ? 'refused' : 'nothing';
}

/** For `prove`; never applied. */
export function isSeed(name: string): boolean {
  return /^\d+_.+\.seed\.sql$/s.test(name);
}

/** `a, b, c and 27 more`. */
export function someOf(names: readonly string[], separator = ', '): string {
  const shown = names.slice(0, MOST_SHOWN).join(separator);
  return names.length > MOST_SHOWN ? `${shown} and ${names.length - MOST_SHOWN} more` : shown;
}

const MOST_SHOWN = 5;

/** One sentence about all numbers that several of these versions, which are in order, share; empty if there are none. */
export function equalNumbers(migrations: readonly Migration[]): string {
  const numberAt = (index: number): string => versionNumber(migrations[index]?.version ?? '') ?? '';
  const several = migrations.filter((_, index) => {
    const number = numberAt(index);
    return number !== '' && (number === numberAt(index - 1) || number === numberAt(index + 1));
  });
  const groups = [...Map.groupBy(several, ({ version }) => versionNumber(version)).values()];
  if (groups.length === 0) return '';
  const named = groups.map((group) => group.map(({ version }) => version).join(', '));
  const what = groups.length === 1 ? 'a number is used twice' : `${groups.length} numbers are used twice`;
  return `${what}, so their names decide the order: ${someOf(named, '; ')}`;
}

/** The format of a number (without leading zeros) that is a date or time; undefined for a counted number. */
export function kindOf(number: string): string | undefined {
  switch (number.length) {
    case 8:
      return /^(?:19|20)/.test(number) ? 'dates (8 digits)' : undefined;
    case 10:
      return 'seconds (10 digits)';
    case 13:
      return 'milliseconds (13 digits)';
    default:
      return number.length < 10 ? undefined : `times of ${number.length} digits`;
  }
}

/** Seconds since the epoch of a number that is a time, in UTC; undefined for any other. */
export function secondsOf(number: string): number | undefined {
  if (number.length === 10) return Number(number);
  if (number.length === 13) return Math.floor(Number(number) / 1000);
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\d{3})?$/.exec(number);
  if (!parts) return undefined;
  const [year = 0, month = 0, ...rest] = parts.slice(1).map(Number);
  return Date.UTC(year, month - 1, ...rest) / 1000;
}

/** One sentence about dates and times in several formats; empty if there is only one. */
export function mixedNumbers(migrations: readonly Migration[]): string {
  const kinds = new Map<string, { readonly first: Version; last: Version }>();
  for (const { version } of migrations) {
    const kind = kindOf(versionNumber(version) ?? '');
    if (kind === undefined) continue;
    const known = kinds.get(kind);
    if (known) known.last = version;
    else kinds.set(kind, { first: version, last: version });
  }
  if (kinds.size < 2) return '';
  const named = [...kinds].map(([kind, { first, last }]) => `${kind}: ${first}${last === first ? '' : ` to ${last}`}`);
  return `numbers in several formats, which run in numeric order; other tools order them by name: ${named.join('; ')}`;
}
