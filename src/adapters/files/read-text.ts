/** The text of a file, or why it cannot be used. */
import { readFileSync } from 'node:fs';

import { withoutBom } from '../../core/migration.ts';

/** The text without its byte order mark, or why it cannot be used. */
export function readText(path: string): { text: string } | { problem: string } {
  try {
    const text = withoutBom(readFileSync(path, 'utf8'));
    // Invalid UTF-8 becomes this character, but the file may also contain it.
    if (text.includes('\uFFFD')) {
      const bytes = readFileSync(path);
      if (!Buffer.from(bytes.toString()).equals(bytes))
        return { problem: isUtf16(bytes) ? 'is UTF-16; save it as UTF-8' : 'is not valid UTF-8' };
    }
    // PostgreSQL's protocol ends a string at the first NUL.
    const nul = text.indexOf('\0');
    return nul === -1
      ? { text }
      : { problem: `line ${text.slice(0, nul).split('\n').length}: contains a NUL character` };
  } catch (error) {
    return { problem: whyUnreadable(error) };
  }
}

function isUtf16([first, second]: Buffer): boolean {
  return (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
}

export function whyUnreadable(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'does not exist',
    ENOTDIR: 'is not a directory',
    EACCES: 'is not readable by this user',
  };
  return reasons[code] ?? `cannot be read (${code})`;
}
