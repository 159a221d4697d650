/** Makes external text safe to show: without passwords, and without characters that control a terminal. */
import { maskPasswords } from './secrets.ts';

/** Control characters, other line breaks, and characters that change the text direction. */
const STEERING = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** The lines of a text, each safe for a terminal. */
export function printableLines(text: string): string[] {
  return maskPasswords(text).split(/\r?\n/).map(harmless);
}

/** The text as one line, so that it cannot start a new one. */
export function printableLine(text: string): string {
  const [first = '', ...others] = maskPasswords(text).split('\n');
  if (others.length === 0) return harmless(first);
  return harmless([first.trimEnd(), ...others.map((line) => line.trim())].filter((line) => line !== '').join(' '));
}

/** A JSON document, with the control characters escaped that JSON.stringify leaves. */
export function printableJson(value: unknown, indent?: number): string {
  const masked = (_key: string, part: unknown): unknown => (typeof part === 'string' ? maskPasswords(part) : part);
  const document = JSON.stringify(value, masked, indent);
  return document.replaceAll(STEERING, (found) =>
    found === '\n' ? found : `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function harmless(line: string): string {
  return line.replaceAll('\t', ' ').replaceAll(STEERING, '?');
}
