/** Chooses the down SQL of a rollback: the file's, or the text that the journal keeps. */
import { lineDiff } from '../text/line-diff.ts';
import { checksum, parseDirectives, type Migration, type Script, type Version } from '../migration.ts';
import type { Problem } from './problem.ts';
import { maskPasswords } from '../text/secrets.ts';
import type { ScriptSource } from './step.ts';

/** The down SQL as it was when its migration was recorded. */
export interface StoredDown {
  readonly version: Version;
  /** Of the down SQL; undefined when there was none. */
  readonly checksum: string | undefined;
  /** The text, if it was requested. */
  readonly sql?: string | undefined;
  /** The up or the down file has the directive. */
  readonly irreversible: boolean;
}

/** Which one runs if both exist and differ. */
export type DownChoice = 'files' | 'stored';

export type ChosenDown = { readonly script: Script; readonly source: ScriptSource } | { readonly problem: Problem };

/** Whether its files say that it cannot be rolled back. */
export function isIrreversible({ up, down }: Migration): boolean {
  return up.directives.irreversible || down?.directives.irreversible === true;
}

/** Whether the journal lacks the down SQL, or the directive `irreversible`, that the files have. */
export function lacksStoredDown(migration: Migration, stored: StoredDown | undefined): boolean {
  return migration.down ? stored?.checksum === undefined : stored === undefined && isIrreversible(migration);
}

export function chooseDown(
  version: Version,
  {
    file,
    stored,
    choice,
  }: {
    readonly file: Migration | undefined;
    readonly stored: StoredDown | undefined;
    readonly choice: DownChoice | undefined;
  },
): ChosenDown {
  if (isForbidden(file, stored, choice)) return irreversible(version);
  const kept = stored && scriptOf(stored);
  if (kept && file && kept.checksum !== file.down?.checksum) {
    if (choice === undefined) return { problem: difference(version, file.down, kept) };
    return choice === 'stored' ? reversible(version, kept) : fromFile(version, file);
  }
  if (file) return fromFile(version, file);
  if (kept) return reversible(version, kept);
  return refused(
    stored
      ? `${version}: it has no file here, and it had no down script when it was applied`
      : `${version}: it has no file here, and the journal keeps no down script of it`,
  );
}

/**
 * A file that says `irreversible` also forbids the stored SQL; a stored directive is overridden only by `--from files`.
 */
function isForbidden(
  file: Migration | undefined,
  stored: StoredDown | undefined,
  choice: DownChoice | undefined,
): boolean {
  if (file && isIrreversible(file)) return true;
  return stored?.irreversible === true && !(file && choice === 'files');
}

function fromFile(version: Version, file: Migration): ChosenDown {
  return file.down ? { script: file.down, source: 'file' } : refused(`${version}: there is no ${version}.down.sql`);
}

function reversible(version: Version, script: Script): ChosenDown {
  return script.directives.irreversible ? irreversible(version) : { script, source: 'stored' };
}

function scriptOf({ version, sql }: StoredDown): Script | undefined {
  if (sql === undefined) return undefined;
  return {
    file: `${version}.down.sql`,
    text: sql,
    checksum: checksum(sql),
    directives: parseDirectives(sql).directives,
  };
}

function irreversible(version: Version): ChosenDown {
  return refused(`${version}: its file says "irreversible"`);
}

function refused(message: string): ChosenDown {
  return { problem: { code: 'ROLLBACK_REFUSED', message } };
}

/** The lines in which the stored text and the file differ, passwords masked; empty if they differ only in passwords. */
export function downDiff(version: Version, kept: string, file: string): readonly string[] {
  const name = `${version}.down.sql`;
  return lineDiff(
    { name: `${name}, as stored when the migration was applied`, text: maskPasswords(kept) },
    { name: `${name}, the file`, text: maskPasswords(file) },
  );
}

/** Both texts are masked before they are compared: a password may be on another line than the word PASSWORD. */
function difference(version: Version, down: Script | undefined, kept: Script): Problem {
  const hint = 'choose with --from stored (as it was applied) or --from files (as this image has it)';
  if (!down) {
    const lines = maskPasswords(kept.text)
      .trimEnd()
      .split(/\r?\n/)
      .slice(0, 40)
      .map((line) => `- ${line}`.trimEnd());
    return {
      code: 'ROLLBACK_REFUSED',
      message: [`${version}: its down file no longer exists; the stored text is`, ...lines].join('\n'),
      hint,
    };
  }
  const diff = downDiff(version, kept.text, down.text);
  const shown = diff.length > 0 ? diff : ['(they differ only in masked text)'];
  return {
    code: 'ROLLBACK_REFUSED',
    message: [`${version}: the down file and the stored down SQL differ`, ...shown].join('\n'),
    hint,
  };
}
