/**
 * Answers: how does the driver prove a password, in the bundle? By Node's native calls, with the names that `pg/lib/crypto/utils.js`
 * exports. The driver uses WebCrypto, which takes Node several milliseconds to load and a thread for each call.
 */
import { createHash, createHmac, pbkdf2Sync, randomBytes, type BinaryLike } from 'node:crypto';

export { randomBytes };

export function md5(text: BinaryLike): string {
  return createHash('md5').update(text).digest('hex');
}

/** PostgreSQL manual, "Message Flow", AuthenticationMD5Password. */
export function postgresMd5PasswordHash(user: string, password: string, salt: Buffer): string {
  return `md5${md5(Buffer.concat([Buffer.from(md5(password + user)), salt]))}`;
}

export function sha256(bytes: BinaryLike): Buffer {
  return createHash('sha256').update(bytes).digest();
}

/** `name` as WebCrypto has it: SHA-256, SHA-384, SHA-512. */
export function hashByName(name: string, bytes: BinaryLike): Buffer {
  return createHash(name.replace('-', '')).update(bytes).digest();
}

export function hmacSha256(key: BinaryLike, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** The driver refuses a server that asks for more than 100,000 iterations, which take some 50 ms. */
export function deriveKey(password: string, salt: Buffer, iterations: number): Buffer {
  return pbkdf2Sync(password, salt, iterations, 32, 'sha256');
}
