/**
 * What of our own texts a database can hold that is not UTF8: a character that its encoding lacks is written as
 * {U+1F600}, and read back. The text of migrations is sent as it is: what the database cannot hold of it is for the
 * server to say.
 */

export interface Encoding {
  readonly encode: (text: string) => string;
  readonly decode: (text: string) => string;
}

const asItIs = (text: string): string => text;
/** Of UTF8, and of SQL_ASCII, which takes every byte. */
const EVERYTHING: Encoding = { encode: asItIs, decode: asItIs };

/**
 * PostgreSQL's name → that of the Encoding Standard, whose decoders list the characters (PostgreSQL manual, "Character
 * Set Support").
 */
const ISO: Readonly<Record<string, string>> = {
  LATIN1: 'iso-8859-1',
  LATIN2: 'iso-8859-2',
  LATIN3: 'iso-8859-3',
  LATIN4: 'iso-8859-4',
  LATIN5: 'iso-8859-9',
  LATIN6: 'iso-8859-10',
  LATIN7: 'iso-8859-13',
  LATIN8: 'iso-8859-14',
  LATIN9: 'iso-8859-15',
  LATIN10: 'iso-8859-16',
  ISO_8859_5: 'iso-8859-5',
  ISO_8859_6: 'iso-8859-6',
  ISO_8859_7: 'iso-8859-7',
  ISO_8859_8: 'iso-8859-8',
};
const WINDOWS: Readonly<Record<string, string>> = {
  WIN1250: 'windows-1250',
  WIN1251: 'windows-1251',
  WIN1252: 'windows-1252',
  WIN1253: 'windows-1253',
  WIN1254: 'windows-1254',
  WIN1255: 'windows-1255',
  WIN1256: 'windows-1256',
  WIN1257: 'windows-1257',
  WIN1258: 'windows-1258',
  WIN866: 'ibm866',
  WIN874: 'windows-874',
  KOI8R: 'koi8-r',
  KOI8U: 'koi8-u',
};

/**
 * `name` is PostgreSQL's (`getdatabaseencoding()`). Of encodings with several bytes a character only ASCII is taken for
 * sure.
 */
export function encodingOf(name: string): Encoding {
  if (name === 'UTF8' || name === 'SQL_ASCII') return EVERYTHING;
  const known = charactersOf(name);
  return {
    encode: (text) =>
      text.replaceAll(/[^\x00-\x7f]/gu, (one) =>
        known.has(one) ? one : `{U+${one.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')}}`,
      ),
    decode: (text) =>
      text.replaceAll(/\{U\+([0-9A-F]{4,6})\}/g, (all, hex: string) =>
        Number.parseInt(hex, 16) <= 0x10ffff ? String.fromCodePoint(Number.parseInt(hex, 16)) : all,
      ),
  };
}

function charactersOf(name: string): ReadonlySet<string> {
  const [label, first] = ISO[name] === undefined ? [WINDOWS[name], 0x80] : [ISO[name], 0xa0];
  if (label === undefined) return new Set();
  const bytes = Uint8Array.from({ length: 0x100 - first }, (_byte, index) => first + index);
  return new Set(new TextDecoder(label).decode(bytes).replaceAll('\ufffd', ''));
}
