/** Text from elsewhere as one line of a known size. */
import { maskPasswords } from './secrets.ts';

/** Without passwords, line breaks and control characters. */
export function oneLine(text: string): string {
  return maskPasswords(text).trim().replaceAll(/\s+/g, ' ').replaceAll(/\p{Cc}/gu, '?').toWellFormed();
}

const ENCODER = new TextEncoder();
const ELLIPSIS = '…';

/** At most `max` bytes of UTF-8 (3 or more), cut between characters; what is cut ends with `…`. */
export function cutBytes(text: string, max: number): string {
  if (ENCODER.encode(text).length <= max) return text;
  const room = new Uint8Array(max - ENCODER.encode(ELLIPSIS).length);
  const { read } = ENCODER.encodeInto(text, room);
  return text.slice(0, read) + ELLIPSIS;
}
