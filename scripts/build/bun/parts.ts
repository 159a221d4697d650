/** Answers: what is in an executable of Bun besides our code, and on what terms? As Bun's own LICENSE.md lists it. */
import { createRequire } from 'node:module';
import spdx from 'spdx-license-list/full.js';

import type { Part } from '../licenses.ts';

const LIST = 'https://github.com/oven-sh/bun/blob/main/LICENSE.md';

/** By the identifiers of SPDX. The LGPL's libraries can be replaced: the list says how Bun is linked anew. */
const BY_LICENSE: Readonly<Record<string, readonly string[]>> = {
  MIT: [
    ...['Bun', 'brotli', 'ls-hpack', 'ls-qpack', 'lsquic', 'mimalloc', 'picohttpparser', 'c-ares', 'libdeflate'],
    ...['uucode', 'packages for browsers that stand for modules of Node'],
  ],
  'LGPL-2.0-or-later': ['JavaScriptCore and WebKit'],
  'LGPL-2.1-or-later': ['tinycc'],
  'Apache-2.0': ['BoringSSL', 'simdutf', 'uSockets', 'uWebSockets', 'highway', 'TigerBeetle', 'LLVM libc++abi'],
  'BSD-3-Clause': ['lol-html', 'zstd', 'libwebp', 'libjpeg-turbo'],
  'BSD-2-Clause': ['libarchive', 'base64', 'libspng'],
  Zlib: ['zlib-ng'],
  'Unicode-DFS-2016': ['ICU'],
};

/** The Bun that builds, and what it links. */
export function bunParts(): readonly Part[] {
  const { version } = createRequire(import.meta.url)('./node_modules/bun/package.json') as { version: string };
  return Object.entries(BY_LICENSE).flatMap(([license, names]) =>
    names.map((name) => ({
      name,
      ...(name === 'Bun' && { version }),
      license,
      copyright: [`Copyright (c) the authors of ${name}`],
    })),
  );
}

/** A notice for each licence. */
export function bunNotices(): string[] {
  return Object.entries(BY_LICENSE).map(([license, names]) => {
    // But the line that is to be filled in.
    const text = spdx[license]?.licenseText.replaceAll(/^.*<.*>.*\n/gm, '').trim();
    if (!text) throw new Error(`there is no text of the licence ${license}`);
    return `${names.map((name) => `${name}, in Bun (${license})`).join('\n')}\n\nCopyright (c) their authors; ${LIST} leads to each\n\n${text}\n`;
  });
}
