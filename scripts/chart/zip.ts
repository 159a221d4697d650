/** Reads one file out of a zip archive. The format: APPNOTE.TXT of PKWARE, sections 4.3.7, 4.3.12 and 4.3.16. */
import { readFile } from 'node:fs/promises';
import { inflateRawSync } from 'node:zlib';

const END_OF_DIRECTORY = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;
const DEFLATED = 8;

/** @throws Error when the archive has no such file. */
export async function readZipEntry(archive: string, name: string): Promise<Buffer> {
  const zip = await readFile(archive);
  let at = directoryStart(zip);
  while (zip.readUInt32LE(at) === DIRECTORY_ENTRY) {
    const [nameLength, extraLength, commentLength] = [
      zip.readUInt16LE(at + 28),
      zip.readUInt16LE(at + 30),
      zip.readUInt16LE(at + 32),
    ];
    if (zip.toString('utf8', at + 46, at + 46 + nameLength) === name) return entry(zip, at);
    at += 46 + nameLength + extraLength + commentLength;
  }
  throw new Error(`${archive} has no ${name}`);
}

/** The directory is at the end, before a comment of unknown length. */
function directoryStart(zip: Buffer): number {
  for (let at = zip.length - 22; at >= 0; at -= 1) {
    if (zip.readUInt32LE(at) === END_OF_DIRECTORY) return zip.readUInt32LE(at + 16);
  }
  throw new Error('this is no zip archive');
}

function entry(zip: Buffer, at: number): Buffer {
  const [method, size, header] = [zip.readUInt16LE(at + 10), zip.readUInt32LE(at + 20), zip.readUInt32LE(at + 42)];
  const start = header + 30 + zip.readUInt16LE(header + 26) + zip.readUInt16LE(header + 28);
  const data = zip.subarray(start, start + size);
  return method === DEFLATED ? inflateRawSync(data) : Buffer.from(data);
}
