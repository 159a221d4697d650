/** Parses both forms of a database address, URL and `key=value` words (PostgreSQL manual, "Connection Strings"). */

import { VARIABLES } from './keywords.ts';

/** A later word wins over an earlier one, as in libpq. */
export type Conninfo = ReadonlyMap<string, string>;

/**
 * The keywords of an address, or why it is malformed.
 * No problem quotes the text: in a malformed address, any part may belong to the password.
 */
export function parseConninfo(text: string): Conninfo | { readonly problem: string } {
  const address = text.trim();
  try {
    if (/^postgres(ql)?:\/\//.test(address)) return parseUrl(address.replace(/^\w+:\/\//, ''));
    if (/^[\w+.-]+:/.test(address)) return { problem: 'it must start with postgres:// or postgresql://' };
    if (address.includes('=')) return parseWords(address);
    return { problem: 'it is neither a postgres:// URL nor a list of key=value words' };
  } catch (error) {
    if (error instanceof MalformedAddress) return { problem: error.message };
    throw error;
  }
}

/** Never leaves this file. */
class MalformedAddress extends Error {}

const NAME = /^[a-z_][\w.]*$/i;
const PASSWORDS = new Set(['password', 'sslpassword']);

const ENCODE = 'percent-encode special characters (@ is %40, / is %2F, : is %3A, % is %25)';

/** `user:password@host1:port1,host2:port2/database?keyword=value&…`; a `/` or `@` inside a part has to be encoded. */
function parseUrl(url: string): Conninfo {
  const keywords = new Map<string, string>();
  const put = (keyword: string, value: string | undefined): void => {
    if (value !== undefined && value !== '') keywords.set(keyword, decode(value));
  };
  // libpq ends the credentials at the first @ that comes before any slash.
  const [, user, password, rest = ''] = /^(?:([^@/:]*)(?::([^@/]*))?@)?(.*)$/s.exec(url) ?? [];
  const [, hosts = '', database, query] = /^([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/s.exec(rest) ?? [];
  // With a second @, or one after a slash, what libpq takes for a host, a port or a database may belong to the
  // password.
  if ((user !== undefined && rest.includes('@')) || database?.includes('@') === true) throw unreadable();
  put('user', user);
  put('password', password);
  putHosts(hosts, put);
  put('dbname', database);
  if (query !== undefined && query !== '') readQuery(query, keywords);
  return keywords;
}

/** `keyword=value&…`, put into `keywords`. */
function readQuery(query: string, keywords: Map<string, string>): void {
  let isAfterPassword = false;
  for (const word of query.split('&')) {
    const [keyword = '', value, ...more] = word.split('=');
    if (keyword === '' || value === undefined || more.length > 0 || (isAfterPassword && !NAME.test(keyword))) {
      throw new MalformedAddress(
        `after the ?, write parameters as keyword=value, separated by &: ${ENCODE}, = is %3D, & is %26`,
      );
    }
    if (value.includes('@') && VARIABLES[keyword] === undefined) throw unreadable();
    isAfterPassword ||= PASSWORDS.has(keyword);
    // JDBC's spelling, which libpq accepts too.
    if (word === 'ssl=true') keywords.set('sslmode', 'require');
    else keywords.set(decode(keyword), decode(value));
  }
}

function putHosts(list: string, put: (keyword: string, value: string) => void): void {
  const places = list.split(',').map((place) => /^(?:\[([^\]]*)\]|([^:[\]@]*))(?::(\d*))?$/.exec(place));
  const hosts = places.map((place) => {
    if (place === null) throw unreadable();
    return place[1] ?? place[2] ?? '';
  });
  const ports = places.map((place) => place?.[3] ?? '');
  put('host', hosts.join(','));
  if (ports.some((port) => port !== '')) put('port', ports.join(','));
}

function unreadable(): MalformedAddress {
  return new MalformedAddress(`a host or port in it is invalid: ${ENCODE} in the user name and the password`);
}

/** A + stays a plus sign, unlike in web forms. */
function decode(text: string): string {
  try {
    const decoded = decodeURIComponent(text);
    if (!decoded.includes('\0')) return decoded;
  } catch {
    // Falls through: not two hexadecimal digits after a %, or not UTF-8.
  }
  throw new MalformedAddress(`a % in it does not start an encoded character: ${ENCODE}`);
}

/** `host=… dbname='with spaces' password=…`; quoted or not, a backslash escapes the next character. */
function parseWords(text: string): Conninfo {
  const keywords = new Map<string, string>();
  const word = /\s*([^\s=]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)(?:[^\s\\]|\\.)*)?)(?=\s|$)\s*/sy;
  let isAfterPassword = false;
  while (word.lastIndex < text.length) {
    const found = word.exec(text);
    if (found === null || (isAfterPassword && !NAME.test(found[1] ?? ''))) {
      throw new MalformedAddress(
        "write it as keyword=value words separated by spaces; put a value with spaces or quotes into '…'",
      );
    }
    isAfterPassword ||= PASSWORDS.has(found[1] ?? '');
    keywords.set(found[1] ?? '', (found[2] ?? found[3] ?? '').replace(/\\(.)/gs, '$1'));
  }
  return keywords;
}
