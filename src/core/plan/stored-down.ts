/** What the journal keeps for rolling back, and which of it and the files runs. */
import { lineDiff } from '../text/line-diff.ts';
import { checksum, parseDirectives, type Migration, type Script, type Version } from '../migration.ts';
import type { Problem } from './problem.ts';
import { maskPasswords } from '../text/secrets.ts';
import type { ScriptSource } from './step.ts';

/** As it was when its migration was recorded. */
export interface StoredDown {
  readonly version: Version;
  /** Of the down SQL; undefined when there was none. */
  readonly checksum: string | undefined;
  /** The text, where it was asked for. */
  readonly sql?: string | undefined;
  /** One of the two files said so. */
  readonly irreversible: boolean;
}

/** Which one runs where both are there and differ. */
export type DownChoice = 'files' | 'stored';

export type ChosenDown = { readonly script: Script; readonly source: ScriptSource } | { readonly problem: Problem };

/** Whether its files forbid to roll it back. */
export function isIrreversible({ up, down }: Migration): boolean {
  return up.directives.irreversible || down?.directives.irreversible === true;
}

/** Nothing of it is stored, or no down SQL although there is some. */
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
  if (mayNotGo(file, stored, choice)) return irreversible(version);
  const kept = stored && scriptOf(stored);
  if (kept && file && kept.checksum !== file.down?.checksum) {
    if (choice === undefined) return { problem: difference(version, file.down, kept) };
    return choice === 'stored' ? reversible(version, kept) : fromFile(version, file);
  }
  if (file) return fromFile(version, file);
  if (kept) return reversible(version, kept);
  return refused(
    stored
      ? `${version}: these files do not have it, and it had no down script when it was applied`
      : `${version}: these files do not have it, and the journal keeps no down script of it`,
  );
}

/** Whoever says so later says it of what was stored before, too; only a file that does not say so any more takes it back. */
function mayNotGo(
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

/** The lines in which a stored text and the file's differ, passwords masked; empty when these hide it. */
export function downDiff(version: Version, kept: string, file: string): readonly string[] {
  const name = `${version}.down.sql`;
  return lineDiff(
    { name: `${name}, as it was stored when the migration was applied`, text: maskPasswords(kept) },
    { name: `${name}, the file`, text: maskPasswords(file) },
  );
}

/** Masked before they are compared: a string may stand on another line than the word before it. */
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
      message: [`${version}: its down file is not here any more; stored is`, ...lines].join('\n'),
      hint,
    };
  }
  const diff = downDiff(version, kept.text, down.text);
  const shown = diff.length > 0 ? diff : ['(they differ in what is not shown here)'];
  return {
    code: 'ROLLBACK_REFUSED',
    message: [`${version}: the down file and the stored down SQL differ`, ...shown].join('\n'),
    hint,
  };
}
