/**
 * Answers: what does V8 keep of the first chunk? All that a run with nothing to do has had to compile. The cache is for
 * the very Node that makes it: `node code-cache.ts DIST`. Nothing is imported but Node, so that an image can make its
 * own.
 */
import { createHmac, pbkdf2Sync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join, resolve } from 'node:path';
import { Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';

interface Start {
  readonly start: (argv: readonly string[], outside: object, columns: number) => Promise<number>;
}

interface FirstChunk {
  readonly codeCache: () => Buffer;
}

/** Runs `up` in this process, where nothing is to be done, and keeps what was compiled for it. */
export async function makeCodeCache(dist: string): Promise<void> {
  const script = readdirSync(dist).find((name) => name.endsWith('.cjs'));
  if (script === undefined) throw new Error(`there is no script in ${dist}`);
  const { codeCache } = (await load(dist, script.replace(/cjs$/, 'mjs'))) as FirstChunk;
  const { start } = (await load(dist, 'start.mjs')) as Start;
  const dir = mkdtempSync(join(dist, 'migrations-'));
  const server = createServer(serve).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    writeFileSync(join(dir, '1_a.up.sql'), 'SELECT 1;');
    writeFileSync(join(dir, '1_a.down.sql'), 'SELECT 1;');
    let said = '';
    const stream = (): Writable =>
      new Writable({
        write(chunk, _encoding, done) {
          said += String(chunk);
          done();
        },
      });
    const { port } = server.address() as { port: number };
    const address = `postgres://user:${PASSWORD}@127.0.0.1:${port}/shop`;
    const outside = {
      env: { DATABASE_URL: address },
      hostname: 'pod',
      stdout: stream(),
      stderr: stream(),
      terminal: false,
      signal: new AbortController().signal,
    };
    const code = await start(['up', '--dir', dir], outside, 100);
    if (code !== 0 || !said.includes('skip 1 migration'))
      throw new Error(`it was to find nothing to do, but ended with ${code}: ${said}`);
  } finally {
    server.close();
    rmSync(dir, { recursive: true });
  }
  const file = join(dist, `${script}.${process.version}-${process.arch}`);
  rmSync(file, { force: true });
  writeFileSync(file, codeCache(), { mode: 0o444 });
}

async function load(dist: string, name: string): Promise<unknown> {
  return await import(pathToFileURL(resolve(dist, name)).href);
}

/**
 * As a PostgreSQL that breaks off TLS, so that the client tries without it; that asks for a password, and whose history
 * has the one version.
 */
function serve(socket: Socket): void {
  let isGreeted = false;
  let scram = '';
  socket.on('data', (data) => {
    if (data[0] === 0x16) socket.destroy();
    else if (data.readInt32BE(0) === 8 && !isGreeted) socket.write('S');
    else if (!isGreeted) {
      isGreeted = true;
      socket.write(message('R', int32(10), Buffer.from('SCRAM-SHA-256\0\0')));
    } else if (data[0] === 0x70) {
      const said = data.toString();
      const first = /n,,(.*)$/.exec(said)?.[1];
      if (first === undefined) socket.write(Buffer.concat([scramFinal(scram, said.slice(5)), LOGGED_IN]));
      else {
        const challenge = `${/r=.*/.exec(first)?.[0]}server,s=${SALT.toString('base64')},i=${ITERATIONS}`;
        scram = `${first},${challenge}`;
        socket.write(message('R', int32(11), Buffer.from(challenge)));
      }
    } else if (data[0] === 0x51)
      socket.write(Buffer.concat([command('BEGIN'), ...ANSWERS.flatMap(resultOf), command('COMMIT'), READY]));
  });
  socket.on('error', () => undefined);
}

/** RFC 5802, section 3: the server's signature, for which the client waits. */
function scramFinal(before: string, final: string): Buffer {
  const salted = pbkdf2Sync(PASSWORD, SALT, ITERATIONS, 32, 'sha256');
  const key = createHmac('sha256', salted).update('Server Key').digest();
  const signed = `${before},${final.replace(/,p=.*/, '')}`;
  const signature = createHmac('sha256', key).update(signed).digest('base64');
  return message('R', int32(12), Buffer.from(`v=${signature}`));
}

const PASSWORD = 'password';
const SALT = Buffer.alloc(16);
const ITERATIONS = 4096;
const PID = 7;
const KEY = '7244554146635925501';
const READY = message('Z', Buffer.from('I'));
const LOGGED_IN = Buffer.concat([message('R', int32(0)), message('K', int32(PID), int32(1)), READY]);
const COMMENT = `Lockstep history, format 1, readable since 1, lock key ${KEY}`;
const HISTORY_COLUMNS = [
  ['version', 'S'],
  ['applied_at', 'D'],
  ['checksum', 'S'],
] as const;
const JOURNAL_COLUMNS = ['id', 'at', 'run', 'event', 'version', 'hold', 'irreversible'];
const SETTINGS = [['', '']];
/** The rows that each of the statements between BEGIN and COMMIT answers, or the tag of one without rows. */
const ANSWERS: readonly ((string | null)[][] | string)[] = [
  'SET',
  [['none']],
  [['public', null, 'public']],
  SETTINGS,
  [['t', KEY, String(PID), '180000', 'shop', 'f', 'off', null, 'public', 'UTF8']],
  [['1', '2', 'table', 'public', COMMENT]],
  [
    ...HISTORY_COLUMNS.map(([name, category], index) => [
      '1',
      String(index + 1),
      name,
      category,
      index === 0 ? 't' : 'f',
    ]),
    ...JOURNAL_COLUMNS.map((name, index) => ['2', String(index + 1), name, 'S', 'f']),
  ],
  [['1']],
  'SET',
  SETTINGS,
  'LOCK TABLE',
  SETTINGS,
  [['1']],
  SETTINGS,
  [[JSON.stringify(['1_a', null, '2025-01-01T00:00:00+00:00'])]],
  'LOCK TABLE',
  SETTINGS,
  [['1']],
  SETTINGS,
  [['t']],
  [],
];

/** PostgreSQL manual, "Message Formats": RowDescription of text columns, DataRow, CommandComplete. */
function resultOf(rows: readonly (string | null)[][] | string): Buffer[] {
  if (typeof rows === 'string') return [command(rows)];
  const [first = []] = rows;
  const fields = first.map((_value, index) =>
    Buffer.concat([Buffer.from(`c${index}\0`), int32(0), int16(0), int32(25), int16(-1), int32(-1), int16(0)]),
  );
  const data = rows.map((values) => message('D', int16(values.length), ...values.map(valueOf)));
  return [message('T', int16(fields.length), ...fields), ...data, command('SELECT 1')];
}

function valueOf(value: string | null): Buffer {
  return value === null ? int32(-1) : Buffer.concat([int32(Buffer.byteLength(value)), Buffer.from(value)]);
}

function command(tag: string): Buffer {
  return message('C', Buffer.from(`${tag}\0`));
}

function message(type: string, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
}

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32BE(value);
  return buffer;
}

function int16(value: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeInt16BE(value);
  return buffer;
}

if (import.meta.main) await makeCodeCache(process.argv[2] ?? 'dist');
