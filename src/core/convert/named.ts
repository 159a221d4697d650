/** Converts tools that put the meaning of a file into its name: Flyway, Prisma, graphile-migrate. */
import { compareVersions, withoutBom } from '../migration.ts';
import { tokensOf } from '../sql/tokens.ts';
import {
  baseName,
  lineOf,
  NO_TRANSACTION,
  upFile,
  type Converted,
  type ConvertedFile,
  type OldFile,
} from './converted.ts';

const NO_FLYWAY: readonly (readonly [pattern: RegExp, why: string])[] = [
  [/^R__/, 'a repeatable migration has no counterpart: put each change into a new file'],
  [/^B[\d._]+__/, 'a baseline migration has no counterpart: see "Squash old migrations" in docs/migrations.md'],
  [/^(?:before|after|create)[A-Z].*\.sql$/, 'a callback has no counterpart'],
  [/\.(?:java|kt|class|jar|sh|py)$/, 'only SQL is converted: rewrite it as SQL or as a hook'],
  [/\.sql$/, 'is not named V<version>__<description>.sql or U<version>__<description>.sql'],
];

interface FlywayFile extends OldFile {
  readonly half: 'up' | 'down';
  readonly version: readonly string[];
  readonly name: string;
}

export function convertFlyway(files: readonly OldFile[]): Converted {
  const problems: string[] = [];
  const alone = new Set<string>();
  const found: FlywayFile[] = [];
  for (const file of files) {
    const base = baseName(file.path);
    const groups = /^(?<kind>[VU])(?<version>\d+(?:[._]\d+)*)__(?<name>.+)\.sql$/s.exec(base)?.groups;
    if (groups) {
      found.push({
        ...file,
        half: groups['kind'] === 'V' ? 'up' : 'down',
        version: (groups['version'] ?? '').split(/[._]/),
        name: (groups['name'] ?? '').replaceAll(' ', '_'),
      });
      problems.push(...placeholders(file));
    } else if (base.endsWith('.sql.conf')) problems.push(...configured(file, alone));
    else
      problems.push(
        ...NO_FLYWAY.filter(([pattern]) => pattern.test(base))
          .slice(0, 1)
          .map(([, why]) => `${file.path}:1: ${why}`),
      );
  }
  const numbers = numbersOf(found);
  const converted = found.map(({ path, text, half, version, name }): ConvertedFile => {
    const up = found.find((other) => other.half === 'up' && keyOf(other.version) === keyOf(version));
    const own = numbers?.get(keyOf(version)) ?? (up ?? { version }).version.join('.');
    if (!up) problems.push(`${path}:1: there is no V${version.join('.')}__… for it to undo`);
    const sql = `${alone.has(path) ? NO_TRANSACTION : ''}${withoutBom(text)}`;
    const file =
      half === 'up' ? upFile(`${own}_${name}`, sql) : { name: `${own}_${up?.name ?? name}.down.sql`, text: sql };
    return { path, sql: text, files: [file] };
  });
  const warnings = numbers
    ? [
        `versions with dots have no counterpart: all files are renumbered, and "lockstep import --from flyway" matches them by description`,
      ]
    : [];
  return { converted, problems, warnings };
}

const keyOf = (version: readonly string[]): string =>
  version
    .map((part) => part.replace(/^0+(?=\d)/, ''))
    .join('.')
    .replace(/(?:\.0)+$/, '');

/** New numbers in Flyway's order, if some version has dots. */
function numbersOf(files: readonly FlywayFile[]): ReadonlyMap<string, string> | undefined {
  if (files.every(({ version }) => version.length === 1)) return undefined;
  const keys = [...new Set(files.map(({ version }) => keyOf(version)))].sort(byParts);
  const width = Math.max(3, String(keys.length).length);
  return new Map(keys.map((key, index) => [key, String(index + 1).padStart(width, '0')]));
}

function byParts(a: string, b: string): number {
  const [left, right] = [a.split('.'), b.split('.')];
  for (let at = 0; at < Math.max(left.length, right.length); at += 1) {
    const order = compareVersions(left[at] ?? '0', right[at] ?? '0');
    if (order !== 0) return order;
  }
  return 0;
}

/** Flyway replaces placeholders everywhere, in quoted text too. */
function placeholders({ path, text }: OldFile): string[] {
  const problems: string[] = [];
  for (const { kind, start, end } of tokensOf(text)) {
    if (kind === 'comment') continue;
    for (const match of text.slice(start, end).matchAll(/\$\{[^{}\n]*\}/g)) {
      problems.push(`${path}:${lineOf(text, start + match.index)}: ${match[0]} is a placeholder: write its value`);
    }
  }
  return problems;
}

/** Reads a script's `.conf` file. */
function configured({ path, text }: OldFile, alone: Set<string>): string[] {
  return text.split('\n').flatMap((line, index) => {
    const setting = line.trim();
    if (setting === '' || setting.startsWith('#') || /^executeInTransaction\s*=\s*true$/i.test(setting)) return [];
    if (!/^executeInTransaction\s*=\s*false$/i.test(setting))
      return [`${path}:${index + 1}: ${setting.split('=', 1)[0] ?? ''} has no counterpart`];
    alone.add(path.replace(/\.conf$/, ''));
    return [];
  });
}

/** Prisma keeps one folder per migration, with its SQL inside. */
export function convertPrisma(files: readonly OldFile[]): Converted {
  const problems: string[] = [];
  const converted = files.flatMap(({ path, text }): ConvertedFile[] => {
    const [base = '', version = '', ...above] = path.split('/').toReversed();
    if (base === 'migration_lock.toml') return [];
    const isOurs = above.length === 0 && /^\d+_./.test(version) && (base === 'migration.sql' || base === 'down.sql');
    if (!isOurs) {
      if (/\.sql$/.test(base)) problems.push(`${path}:1: is not <number>_<name>/migration.sql or down.sql`);
      return [];
    }
    return [
      {
        path,
        sql: text,
        files: [
          base === 'down.sql'
            ? { name: `${version}.down.sql`, text: withoutBom(text) }
            : upFile(version, withoutBom(text)),
        ],
      },
    ];
  });
  return { converted, problems, warnings: [] };
}

const HEADER = /^--!\s*(?:previous|hash|allowinvalidhash)\b.*$/i;

export function convertGraphileMigrate(files: readonly OldFile[]): Converted {
  const problems: string[] = [];
  const warnings: string[] = [];
  const converted = files.flatMap(({ path, text }): ConvertedFile[] => {
    const base = baseName(path);
    const groups = /^(?<number>\d+)(?:[-_](?<name>.+))?\.sql$/s.exec(base)?.groups;
    if (!groups) {
      if (/^current(?:\/|\.sql$)/.test(path) || /\/current(?:\/|\.sql$)/.test(path)) {
        if (text.replaceAll(/^--.*$/gm, '').trim() !== '') warnings.push(`${path}: not committed, so it is skipped`);
      } else if (/committed\//.test(path) && /\.sql$/.test(base))
        problems.push(`${path}:1: its name does not start with a number`);
      return [];
    }
    problems.push(...graphilePlaceholders({ path, text }));
    const plain = withoutBom(text)
      .split('\n')
      .filter((line) => !HEADER.test(line.trimEnd()))
      .join('\n')
      .replace(/^(?:[ \t]*\r?\n)+/, '');
    const message = /^--!\s*message:\s*(?<message>.+?)\s*$/im.exec(text)?.groups?.['message'];
    const name =
      (groups['name'] ?? message ?? 'migration')
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}]+/gu, '_')
        .replaceAll(/^_+|_+$/g, '') || 'migration';
    const alone = /^--!\s*no-transaction\b/im.test(plain) ? NO_TRANSACTION : '';
    return [
      {
        path,
        sql: text,
        files: [upFile(`${groups['number'] ?? ''}_${name}`, `${alone}${plain.replaceAll(/^--!/gm, '--')}`)],
      },
    ];
  });
  return {
    converted,
    problems,
    warnings: [
      ...warnings,
      ...(converted.length > 0 ? ['graphile-migrate has no down files, so none are written'] : []),
    ],
  };
}

function graphilePlaceholders({ path, text }: OldFile): string[] {
  const problems: string[] = [];
  for (const { kind, start, end } of tokensOf(text)) {
    const pattern =
      kind === 'code'
        ? /(?<![:\w]):[A-Z][A-Z0-9_]+\b/g
        : kind === 'quoted'
          ? /(?<![:\w]):DATABASE_(?:NAME|OWNER)\b/g
          : undefined;
    for (const match of pattern ? text.slice(start, end).matchAll(pattern) : []) {
      problems.push(`${path}:${lineOf(text, start + match.index)}: ${match[0]} is a placeholder: write its value`);
    }
  }
  return problems;
}
