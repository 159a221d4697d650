/** Makes external text one line of limited size. */
import { maskPasswords } from './secrets.ts';

/** Without passwords, line breaks and control characters. */
export function oneLine(text: string): string {
  return maskPasswords(text)
    .trim()
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/\p{Cc}/gu, '?')
    .toWellFormed();
}

const ENCODER = new TextEncoder();
const ELLIPSIS = '…';

/** Cuts text to `max` bytes of UTF-8 (at least 3), between characters, and ends it with `…`. */
export function cutBytes(text: string, max: number): string {
  if (ENCODER.encode(text).length <= max) return text;
  const room = new Uint8Array(max - ENCODER.encode(ELLIPSIS).length);
  const { read } = ENCODER.encodeInto(text, room);
  return text.slice(0, read) + ELLIPSIS;
}

/**
 * Cuts text to `max` bytes of UTF-8 (at least 100), in the middle, with a note. Returns a copy, because a slice would
 * keep the whole text in memory.
 */
export function cutMiddle(text: string, max: number): string {
  if (text.length <= max && ENCODER.encode(text).length <= max) return text;
  const note = ENCODER.encode(` … [cut: ${text.length} characters in all] … `);
  const half = Math.floor((max - note.length) / 2);
  const bytes = new Uint8Array(max);
  const head = ENCODER.encodeInto(text, bytes.subarray(0, half)).written;
  bytes.set(note, head);
  const rest = ENCODER.encode(text.slice(-half));
  let from = Math.max(0, rest.length - half);
  // Not in the middle of a character, nor of a pair of surrogates.
  while (((rest[from] ?? 0) & 0xc0) === 0x80) from += 1;
  bytes.set(rest.subarray(from), head + note.length);
  return new TextDecoder().decode(bytes.subarray(0, head + note.length + rest.length - from));
}
