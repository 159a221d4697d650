/** Answers: whose code is in the bundle, and on what terms? */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';
import spdx from 'spdx-license-list/full.js';

/** Code in the bundle that is no package of npm. */
export interface Part {
  readonly name: string;
  readonly version?: string;
  /** The identifier of SPDX. */
  readonly license: string;
  readonly copyright: readonly string[];
}

/**
 * What libpg-query.wasm is made of, with the identifiers of SPDX: its package holds the licence of the package's own
 * code alone.
 */
export const WASM_PARTS: readonly Part[] = [
  {
    name: 'libpg_query',
    license: 'BSD-3-Clause',
    copyright: [
      'Copyright (c) 2015, Lukas Fittl <lukas@fittl.com>',
      'Copyright (c) 2016-2023, Duboce Labs, Inc. (pganalyze) <team@pganalyze.com>',
    ],
  },
  {
    name: 'PostgreSQL',
    license: 'PostgreSQL',
    copyright: [
      'Portions Copyright (c) 1996-2025, PostgreSQL Global Development Group',
      'Portions Copyright (c) 1994, The Regents of the University of California',
    ],
  },
  {
    name: 'protobuf-c',
    license: 'BSD-2-Clause',
    copyright: ['Copyright (c) 2008-2015, Dave Benson and the protobuf-c authors'],
  },
  { name: 'xxHash', license: 'BSD-2-Clause', copyright: ['Copyright (C) 2012-2020 Yann Collet'] },
  { name: 'musl', license: 'MIT', copyright: ['Copyright (c) 2005-2020 Rich Felker, et al.'] },
  {
    name: 'Emscripten',
    license: 'MIT',
    copyright: ['Copyright (c) 2010-2014 Emscripten authors, see its AUTHORS file'],
  },
];

/**
 * A notice for everything of which there is code in the bundle, and `more` of them; packages with the same text share
 * it.
 */
export async function thirdPartyLicenses(
  packages: readonly BundledPackage[],
  more: readonly string[] = [],
): Promise<string> {
  const notices = [...(await packageNotices(packages)), ...WASM_PARTS.map(partNotice), ...more];
  return notices.join(`\n${'-'.repeat(80)}\n\n`);
}

/** A package of which there is code in the bundle. */
export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  /** As its package.json has it. */
  readonly license: string | undefined;
  readonly folder: string;
}

export async function bundledPackages(root: string, { outputs }: Metafile): Promise<BundledPackage[]> {
  const folders = new Set<string>();
  for (const file of Object.values(outputs).flatMap(({ inputs }) => Object.keys(inputs))) {
    const folder = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1];
    if (folder !== undefined) folders.add(folder);
  }
  return await Promise.all(
    [...folders].sort().map(async (name) => {
      const folder = join(root, name);
      const about = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Omit<BundledPackage, 'folder'>;
      return { name: about.name, version: about.version, license: about.license, folder };
    }),
  );
}

async function packageNotices(packages: readonly BundledPackage[]): Promise<string[]> {
  const names = new Map<string, string[]>();
  for (const { name, version, license, folder } of packages) {
    const text = await licenseText(folder);
    names.set(text, [...(names.get(text) ?? []), `${name} ${version} (${license ?? 'see below'})`]);
  }
  return [...names].map(([text, packages]) => `${[...new Set(packages)].join('\n')}\n\n${text}\n`);
}

/** Of the package in this folder: its file, or the last section of its README, where some have it. */
async function licenseText(folder: string): Promise<string> {
  const file = (await readdir(folder)).find((name) => /^licen[cs]e/i.test(name));
  if (file !== undefined) return (await readFile(join(folder, file), 'utf8')).trim();
  const text = /^#+ licen[cs]e\n(.*)/ims.exec(await readFile(join(folder, 'README.md'), 'utf8'))?.[1]?.trim();
  if (!text) throw new Error(`there is no licence text in ${folder}`);
  return text;
}

function partNotice({ name, license, copyright }: Part): string {
  // The standard text begins with a title and a copyright line to be filled in.
  const terms = spdx[license]?.licenseText.replace(/^.*?(?=Permission|Redistribution)/s, '').trim();
  if (!terms) throw new Error(`there is no text of the licence ${license}`);
  return `${name}, in libpg-query.wasm (${license})\n\n${copyright.join('\n')}\n\n${terms}\n`;
}
