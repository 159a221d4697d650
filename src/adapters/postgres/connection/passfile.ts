/** Where the password comes from; among others the file `.pgpass` (PostgreSQL manual, "The Password File"). */
import { readFileSync } from 'node:fs';

import { MigratorError } from '../../../core/errors.ts';
import type { ConnectionSettings, HostSettings } from './connection-settings.ts';

export interface PasswordQuery {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
}

/**
 * The password for one server, read anew at each attempt: files are rotated. Their mode bits don't matter,
 * for a Secret that is mounted under an fsGroup can be read by its group.
 * @throws MigratorError CONFIG_INVALID for a file that was named and can't be read.
 */
export function readPassword(settings: ConnectionSettings, host: HostSettings): string | undefined {
  const { password, passwordFile, passfile, database, user } = settings;
  if (passwordFile !== undefined) return read(passwordFile, true)?.replace(/\r?\n$/, '');
  if (password !== undefined || passfile === undefined) return password;
  const file = read(passfile.path, passfile.named);
  // An empty password is none, as in libpq.
  return passwordIn(file ?? '', { host: host.host, port: host.port, database, user }) || undefined;
}

function read(path: string, isNamed: boolean): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    if (!isNamed) return undefined;
    const { code } = cause as NodeJS.ErrnoException;
    throw new MigratorError('CONFIG_INVALID', `cannot read the password file ${path} (${code})`, { cause });
  }
}

/** The folders where PostgreSQL puts its socket unless told otherwise; the file calls them `localhost`. */
const DEFAULT_SOCKET_FOLDERS = ['/tmp', '/var/run/postgresql', '/run/postgresql'];

/** The password of the first line `host:port:database:user:password` that fits; each of the first four may be `*`. */
export function passwordIn(file: string, query: PasswordQuery): string | undefined {
  const host = DEFAULT_SOCKET_FOLDERS.includes(query.host) ? 'localhost' : query.host;
  const asked = [host, String(query.port), query.database, query.user];
  for (const line of file.split('\n')) {
    if (line.startsWith('#')) continue;
    // The password is the rest of the line: a colon in it need not be escaped.
    const fields = /^((?:[^:\\]|\\.)*):((?:[^:\\]|\\.)*):((?:[^:\\]|\\.)*):((?:[^:\\]|\\.)*):(.*?)\r?$/s.exec(line);
    if (fields === null) continue;
    const [, ...values] = fields;
    const password = values.pop() ?? '';
    if (values.every((value, index) => value === '*' || unescape(value) === asked[index])) return unescape(password);
  }
  return undefined;
}

function unescape(text: string): string {
  return text.replace(/\\(.)/gs, '$1');
}
