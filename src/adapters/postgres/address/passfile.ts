/** Reads the password from its source, for example `.pgpass` (PostgreSQL manual, "The Password File"). */
import type { ConnectionSettings, HostSettings } from './connection-settings.ts';
import { contentsOf, readSecretFile } from './secret-file.ts';

export interface PasswordQuery {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
}

export interface Password {
  readonly text: string | undefined;
  /** The file or the command that it comes from, as named in messages; it may yield another password later. */
  readonly source: string | undefined;
}

/**
 * Reads the password source once and returns a function from host to password. Call it at each attempt, because files
 * and tokens are rotated.
 * @throws MigratorError DATABASE_UNAVAILABLE if the secret does not exist yet, CONFIG_INVALID if it cannot be read.
 */
export async function readPassword(
  settings: ConnectionSettings,
  signal: AbortSignal,
): Promise<(host: HostSettings) => Password> {
  const { password, passwordFile, passwordCommand, passfile, addressFile } = settings;
  if (passwordCommand !== undefined) {
    const { runPasswordCommand } = await import('./password-command.ts');
    return always(await runPasswordCommand(passwordCommand, signal), `--password-command (${passwordCommand[0]})`);
  }
  if (passwordFile !== undefined) {
    return always(
      readSecretFile(passwordFile, 'the password file').replace(/\r?\n$/, ''),
      `the password file ${passwordFile}`,
    );
  }
  if (password !== undefined || passfile === undefined) {
    return always(
      password,
      addressFile !== undefined && password !== undefined ? `the address file ${addressFile}` : undefined,
    );
  }
  const file = passfile.named ? readSecretFile(passfile.path, 'the password file') : contentsOf([passfile.path]);
  return (host) => fromPassfile(file, settings, host);
}

function always(text: string | undefined, source: string | undefined): () => Password {
  return () => ({ text, source });
}

function fromPassfile(
  file: string,
  { passfile, database, user }: ConnectionSettings,
  { host, port }: HostSettings,
): Password {
  // An empty password counts as no password, as in libpq.
  const text = passwordIn(file, { host, port, database, user }) || undefined;
  return {
    text,
    source: text !== undefined || passfile?.named === true ? `the password file ${passfile?.path}` : undefined,
  };
}

/** PostgreSQL's default socket folders, for which `.pgpass` has `localhost`. */
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
