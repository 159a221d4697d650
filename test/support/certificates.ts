/** Creates certificates for tests without the openssl program: X.509 version 3, ECDSA with P-256 and SHA-256. */
import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { isIP } from 'node:net';

export interface Certificate {
  readonly name: string;
  readonly pem: string;
  readonly key: KeyObject;
  /** PEM; encrypted when a passphrase is given. */
  keyPem(passphrase?: string): string;
}

/** A self-signed certificate authority. */
export function makeAuthority(name: string): Certificate {
  return make({ name, subjects: [], isAuthority: true });
}

/** A certificate for a server (names and addresses in `subjects`) or for a client (its user in `name`). */
export function issue(authority: Certificate, name: string, subjects: readonly string[] = []): Certificate {
  return make({ name, subjects, isAuthority: false, authority });
}

interface Request {
  readonly name: string;
  readonly subjects: readonly string[];
  readonly isAuthority: boolean;
  readonly authority?: Certificate;
}

/** RFC 5280, section 4.1. */
function make({ name, subjects, isAuthority, authority }: Request): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = sequence(objectId([1, 2, 840, 10045, 4, 3, 2]));
  const year = 365 * 24 * 3_600_000;
  const body = sequence(
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    distinguishedName(authority?.name ?? name),
    sequence(time(Date.now() - year), time(Date.now() + year)),
    distinguishedName(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(basicConstraints(isAuthority), ...(subjects.length > 0 ? [alternativeNames(subjects)] : []))),
  );
  const signature = sign('sha256', body, authority?.key ?? privateKey);
  const der = sequence(body, algorithm, tagged(0x03, Buffer.concat([Buffer.from([0]), signature])));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return {
    name,
    pem: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`,
    key: privateKey,
    keyPem: (passphrase) =>
      String(
        privateKey.export({
          type: 'pkcs8',
          format: 'pem',
          ...(passphrase !== undefined && { cipher: 'aes-256-cbc', passphrase }),
        }),
      ),
  };
}

function basicConstraints(isAuthority: boolean): Buffer {
  const yes = tagged(0x01, Buffer.from([0xff]));
  return sequence(objectId([2, 5, 29, 19]), yes, tagged(0x04, sequence(...(isAuthority ? [yes] : []))));
}

function alternativeNames(subjects: readonly string[]): Buffer {
  const names = subjects.map((subject) =>
    isIP(subject) === 4
      ? tagged(0x87, Buffer.from(subject.split('.').map(Number)))
      : tagged(0x82, Buffer.from(subject)),
  );
  return sequence(objectId([2, 5, 29, 17]), tagged(0x04, sequence(...names)));
}

function distinguishedName(commonName: string): Buffer {
  return sequence(tagged(0x31, sequence(objectId([2, 5, 4, 3]), tagged(0x0c, Buffer.from(commonName)))));
}

function time(ms: number): Buffer {
  return tagged(
    0x17,
    Buffer.from(
      new Date(ms)
        .toISOString()
        .slice(2)
        .replace(/[-:T]|\.\d+/g, ''),
    ),
  );
}

function integer(bytes: Buffer): Buffer {
  return tagged(0x02, bytes);
}

function objectId([first = 0, second = 0, ...rest]: readonly number[]): Buffer {
  const arcs = rest.flatMap((arc) => {
    const septets = [arc & 0x7f];
    for (let left = arc >> 7; left > 0; left >>= 7) septets.unshift((left & 0x7f) | 0x80);
    return septets;
  });
  return tagged(0x06, Buffer.from([first * 40 + second, ...arcs]));
}

function sequence(...items: readonly Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(items));
}

/** One DER value: tag, length, content. */
function tagged(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}
