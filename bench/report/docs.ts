// Answers: which figures do the docs show? Those of the last `npm run bench -- --write-docs`: a block of
// docs/performance.md, and the chart.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Result } from '../goals/goal.ts';
import { chart } from './chart.ts';

const docs = resolve(import.meta.dirname, '../../docs');
const [begin, end] = ['<!-- generated: figures (npm run bench -- --write-docs) -->', '<!-- end of figures -->'];

/** `figures` is Markdown. */
export async function writeDocs(figures: string, results: readonly Result[]): Promise<void> {
  const page = resolve(docs, 'performance.md');
  await writeFile(page, replaceFigures(await readFile(page, 'utf8'), figures));
  const image = resolve(docs, 'images/nothing-to-do.svg');
  const bars = results.flatMap((result) => result.bars ?? []);
  await mkdir(dirname(image), { recursive: true });
  if (bars.length > 0)
    await writeFile(image, chart('A start with nothing to do, over TLS and with a password (SCRAM): CPU time', bars));
}

/** @throws Error if the page has no place for them. */
export function replaceFigures(page: string, figures: string): string {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from === -1 || to < from) throw new Error(`the page has no place for the figures: ${begin} … ${end}`);
  return `${page.slice(0, from)}${begin}\n\n${figures}\n\n${page.slice(to)}`;
}
