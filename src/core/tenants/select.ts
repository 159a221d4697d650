/** Which schemas does `--schemas` mean? */
import { MigratorError } from '../errors.ts';

/** A schema that may be a tenant. */
export interface Candidate {
  readonly schema: string;
  /** An extension keeps its objects there. */
  readonly hasExtension: boolean;
  /** It has a history. */
  readonly hasHistory: boolean;
}

export interface Selection {
  /** Patterns: `*` stands for any characters, `?` for one. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

export interface Selected {
  /** In the order of their names. */
  readonly schemas: readonly string[];
  /** Patterns that match nothing. */
  readonly without: readonly string[];
}

/** @throws MigratorError CONFIG_INVALID when no schema matches. */
export function selectSchemas(candidates: readonly Candidate[], { include, exclude }: Selection): Selected {
  const excluded = exclude.map(globOf);
  const left = candidates.filter(({ schema }) => !excluded.some((glob) => glob.test(schema)));
  const means = (pattern: string, { schema, hasExtension, hasHistory }: Candidate): boolean =>
    pattern === schema ||
    // Who writes a pattern means neither `public` nor the schema of an extension.
    (schema !== 'public' && !(hasExtension && !hasHistory) && globOf(pattern).test(schema));
  const schemas = left.filter((one) => include.some((pattern) => means(pattern, one))).map(({ schema }) => schema);
  if (schemas.length === 0) {
    const but = exclude.length === 0 ? '' : ` without ${exclude.join(', ')}`;
    throw new MigratorError('CONFIG_INVALID', `--schemas: no schema matches ${include.join(', ')}${but}`, {
      hint: 'the case counts, and "public" must be named; schemas of PostgreSQL and of extensions never match: look at \\dn in psql',
    });
  }
  return { schemas: schemas.sort(), without: include.filter((pattern) => !left.some((one) => means(pattern, one))) };
}

function globOf(pattern: string): RegExp {
  const parts = pattern
    .split(/([*?])/)
    .map((part) => GLOB[part] ?? part.replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join('')}$`, 'su');
}

const GLOB: Readonly<Record<string, string>> = { '*': '.*', '?': '.' };
