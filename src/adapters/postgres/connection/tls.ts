/** Reads certificates from files, and decides what TLS verifies, as libpq does. */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';

import { MigratorError } from '../../../core/errors.ts';
import type { TlsSettings, TlsVersion } from '../address/connection-settings.ts';
import { nodeTls } from './node-tls.ts';

/** Plain data, so that it can go to a worker thread. */
export interface Tls {
  readonly verify: 'nothing' | 'chain' | 'name';
  /** The name to verify and to send, whatever address is connected to. */
  readonly host: string;
  readonly sendsName: boolean;
  readonly negotiation: 'postgres' | 'direct';
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion | undefined;
  /** PEM, or `system`. */
  readonly ca: string | undefined;
  readonly crl: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly passphrase: string | undefined;
}

/**
 * Reads the files. Call it at each attempt, because certificates are rotated.
 * @throws MigratorError CONFIG_INVALID for a file that is named or required and cannot be read.
 */
export function readTls(settings: TlsSettings, host: string): Tls {
  const { mode, folder, sendsName, negotiation, minVersion, maxVersion } = settings;
  const ca = readRoots(settings);
  return {
    // If a root certificate exists, every mode verifies it (PostgreSQL manual, "SSL Support", note on `require`).
    verify: mode === 'verify-full' ? 'name' : ca === undefined ? 'nothing' : 'chain',
    host,
    sendsName,
    negotiation,
    minVersion,
    maxVersion,
    ca,
    crl: ca === undefined ? undefined : read('sslcrl', settings.crl, folder, 'root.crl'),
    ...readIdentity(settings),
  };
}

function readRoots({ mode, rootCert, folder }: TlsSettings): string | undefined {
  if (rootCert === 'system') return 'system';
  const path = rootCert ?? (folder === undefined ? undefined : join(folder, 'root.crt'));
  const ca = read('sslrootcert', rootCert, folder, 'root.crt');
  if (ca === undefined && (mode === 'verify-ca' || mode === 'verify-full')) {
    const where = path === undefined ? '' : `, and there is no ${path}`;
    throw new MigratorError('CONFIG_INVALID', `sslmode=${mode} needs a root certificate${where}`, {
      hint: 'name the CA file with sslrootcert (PGSSLROOTCERT), or use sslrootcert=system for the trusted roots of the machine',
    });
  }
  // Node accepts any text, and then trusts no certificate.
  if (ca?.includes('CERTIFICATE-----') === false) {
    throw new MigratorError('CONFIG_INVALID', `sslrootcert: ${path} contains no certificate in PEM format`);
  }
  return ca;
}

/** The client's own certificate, if it has one. */
function readIdentity(settings: TlsSettings): Pick<Tls, 'cert' | 'key' | 'passphrase'> {
  const { folder } = settings;
  const cert = settings.sendsCert ? read('sslcert', settings.cert, folder, 'postgresql.crt') : undefined;
  if (cert === undefined) return { cert, key: undefined, passphrase: undefined };
  const key = read('sslkey', settings.key, folder, 'postgresql.key');
  if (key !== undefined) return { cert, key, passphrase: settings.keyPassword };
  throw new MigratorError('CONFIG_INVALID', 'there is a client certificate, but no private key for it', {
    hint: 'name it with sslkey (PGSSLKEY)',
  });
}

/** Options for `tls.connect`, also for connections that the driver opens itself. */
export function tlsOptions(tls: Tls): ConnectionOptions {
  const { host, ca, crl, cert, key, passphrase, minVersion, maxVersion } = tls;
  return {
    // An empty list keeps Node from loading its own roots.
    ca: ca === 'system' ? systemRoots() : (ca ?? []),
    crl,
    cert,
    key,
    passphrase,
    minVersion,
    maxVersion,
    rejectUnauthorized: tls.verify !== 'nothing',
    checkServerIdentity: (_name, certificate) =>
      tls.verify === 'name' ? nodeTls().checkServerIdentity(host, certificate) : undefined,
    // RFC 6066 allows names only.
    ...(tls.sendsName && isIP(host) === 0 ? { servername: host } : {}),
    ...(tls.negotiation === 'direct' ? { ALPNProtocols: ['postgresql'] } : {}),
  };
}

/** The machine's trusted roots; if the image has none, those bundled with Node. */
function systemRoots(): string[] {
  const { getCACertificates } = nodeTls();
  const roots = getCACertificates('system');
  return roots.length > 0 ? roots : getCACertificates('bundled');
}

/** A named file must exist (libpq ignores some that do not); a file in the default folder may be absent. */
function read(
  keyword: string,
  named: string | undefined,
  folder: string | undefined,
  name: string,
): string | undefined {
  const path = named ?? (folder === undefined ? undefined : join(folder, name));
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const { code = 'error' } = cause as NodeJS.ErrnoException;
    if (named === undefined && ['ENOENT', 'ENOTDIR'].includes(code)) return undefined;
    throw new MigratorError('CONFIG_INVALID', `${keyword}: cannot read ${path} (${code})`, { cause });
  }
}
