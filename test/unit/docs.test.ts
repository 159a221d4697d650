import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';

import { blocksOf, readPages, ROOT, type Page } from '../../scripts/docs/pages.ts';
import { exitsOf, GENERATED_PAGES, withGenerated } from '../../scripts/docs.ts';
import { parseArguments } from '../../src/cli/arguments.ts';
import { parseConfig } from '../../src/config/parse-config.ts';
import { RunRecorder } from '../../src/core/run-record.ts';
import { ERRORS, type ErrorCode } from '../../src/core/errors.ts';
import { metricsText } from '../../src/output/watch/metrics.ts';

const CODES = Object.keys(ERRORS) as ErrorCode[];

let pages: readonly Page[] = [];

before(async () => {
  pages = await readPages();
});

function page(path: string): string {
  return pages.find((one) => one.path === path)!.text;
}

function withoutBlocks(text: string): string {
  return text.replaceAll(/^```.*?^```$/gms, '').replaceAll(/`[^`\n]*`/g, '');
}

describe('generated tables', () => {
  for (const name of GENERATED_PAGES) {
    it(`of ${name} match the code (else: npx node scripts/docs.ts)`, () => {
      expect(page(name)).to.equal(withGenerated(page(name), name));
    });
  }

  it('change when the code changes', () => {
    const settings = page('docs/settings.md');
    const stale = settings.replace('`--lock-wait`', '`--lock-weight`');
    expect(withGenerated(stale, 'docs/settings.md')).to.equal(settings).and.to.not.equal(stale);
    expect(() => withGenerated('no markers', 'README.md')).to.throw('has no place for commands');
  });
});

describe('docs/errors.md', () => {
  it('has one row for each code, in order, with its exit code and what a Job does', () => {
    const rows = [...page('docs/errors.md').matchAll(/^\| ([\d, ]+) \| `(\w+)` \| (\w+) \|/gm)].map(
      ([, exits, code, job]) => ({ exits, code, job }),
    );
    expect(rows).to.deep.equal(CODES.map((code) => ({ exits: exitsOf(code).join(', '), code, job: ERRORS[code].job })));
  });

  it('fails a Job on exactly the codes marked as final', () => {
    const values = /action: FailJob\s+onExitCodes: \{ operator: In, values: \[([\d, ]+)\] \}/.exec(
      page('docs/errors.md'),
    )?.[1];
    const final = CODES.filter((code) => ERRORS[code].job === 'FailJob').flatMap(exitsOf);
    expect(values?.split(', ').map(Number)).to.deep.equal(final);
  });
});

describe('docs/json.md', () => {
  it('links to each schema', async () => {
    const schemas = await readdir(join(ROOT, 'docs/schemas'));
    expect(schemas.filter((name) => !page('docs/json.md').includes(`](schemas/${name})`))).to.deep.equal([]);
  });
});

describe('docs/metrics.md', () => {
  const METRIC = /\blockstep_[a-z_]+/g;
  const written = new Set(
    metricsText(
      {
        outcome: { done: [{ version: '1_a', direction: 'up', durationMs: 1 }], pending: [], dryRun: false },
        durationMs: 1,
      },
      new RunRecorder(0).recorded(1),
    ).match(METRIC),
  );

  it('explains each metric, and its rules and the dashboard use no other', async () => {
    const listed = [...page('docs/metrics.md').matchAll(/^\| `(lockstep_[a-z_]+)/gm)].map(([, name]) => name);
    expect(listed.sort()).to.deep.equal([...written].sort());
    const rules = blocksOf({ path: '', text: page('docs/metrics.md') }).find(({ language }) => language === 'yaml');
    const dashboard = JSON.parse(await readFile(join(ROOT, 'docs/grafana-dashboard.json'), 'utf8')) as {
      panels: { targets: { expr: string }[] }[];
    };
    const { groups } = parse(rules?.text ?? '') as { groups: { rules: { alert: string; expr: string }[] }[] };
    const alerts = groups.flatMap((group) => group.rules);
    const expressions = [
      ...alerts.map(({ expr }) => expr),
      ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
    ];
    expect(alerts).to.have.length(3);
    for (const expr of expressions)
      for (const name of expr.match(METRIC) ?? []) expect([...written], expr).to.include(name);
  });
});

describe('every page', () => {
  it('has no broken links', async () => {
    const broken: string[] = [];
    let count = 0;
    for (const { path, text } of pages) {
      for (const [, link = ''] of withoutBlocks(text).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^https?:/.test(link)) continue;
        count += 1;
        const problem = await linkProblem(path, link);
        if (problem !== undefined) broken.push(`${path}: ${link}: ${problem}`);
      }
    }
    expect(broken).to.deep.equal([]);
    expect(count, 'links found').to.be.greaterThan(10);
  });

  it('names source files that exist', async () => {
    const named = pages.flatMap(({ path, text }) =>
      [...text.matchAll(/`((?:src|test|docs|scripts|migrations)\/[\w./-]*)`/g)].map(([, name = '']) => ({
        path,
        name,
      })),
    );
    const wrong: string[] = [];
    for (const { path, name } of named)
      if (!(await stat(join(ROOT, name)).catch(() => undefined))) wrong.push(`${path}: ${name}`);
    expect(wrong).to.deep.equal([]);
    expect(named.length).to.be.greaterThan(20);
  });

  it('is reachable from the README', () => {
    const reached = new Set(['README.md']);
    for (const path of reached) {
      for (const [, link = ''] of (pages.find((one) => one.path === path)?.text ?? '').matchAll(/\]\(([^)#\s]+)/g)) {
        const target = relative(ROOT, resolve(ROOT, dirname(path), link));
        for (const one of pages) if (one.path === target || dirname(one.path) === target) reached.add(one.path);
      }
    }
    expect(pages.map(({ path }) => path).filter((path) => !reached.has(path))).to.deep.equal([]);
  });

  it('names scripts that exist in package.json', async () => {
    const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const named = pages.flatMap(({ text }) => [...text.matchAll(/npm run ([\w:-]+)/g)].map(([, name = '']) => name));
    const table = /^## Scripts\n.*?(?=^## )/ms.exec(page('CONTRIBUTING.md'))?.[0] ?? '';
    const listed = [...table.matchAll(/^\| (`[a-z].*?) \|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`([\w:-]+)/g)].map(([, name = '']) => name),
    );
    expect([...named, ...listed].filter((name) => !(name in scripts))).to.deep.equal([]);
    expect(named).to.include('build');
    expect(listed).to.include('test:unit').and.to.include('postgres');
  });

  it('shows valid command lines', () => {
    const lines = pages
      .flatMap(blocksOf)
      .flatMap(({ page: path, text }) => commandLines(text).map((words) => ({ path, words })));
    for (const { path, words } of lines) {
      const raw = parseArguments(words);
      if ('command' in raw) expect(parseConfig(raw, {}, { terminal: false }).command, path).to.equal(words[0]);
    }
    expect(lines.length, 'command lines found').to.be.greaterThan(3);
  });
});

/** The words after `lockstep` or `lockstep.mjs` of each command line in a block. */
function commandLines(block: string): string[][] {
  return block.split('\n').flatMap((line) => {
    const words = /^(?:\$ )?(?:lockstep|(?:\w+=\S+ )*(?:npx )?node dist\/lockstep\.mjs) (?<words>[^#]*)/.exec(line)
      ?.groups?.['words'];
    return words === undefined ? [] : [words.trim().split(/\s+/)];
  });
}

async function linkProblem(path: string, link: string): Promise<string | undefined> {
  const [file = '', anchor] = link.split('#');
  const target = file === '' ? path : relative(ROOT, resolve(ROOT, dirname(path), file));
  const found = await stat(join(ROOT, target)).catch(() => undefined);
  if (!found) return 'there is no such file';
  if (anchor === undefined) return undefined;
  const headings = [...(await readFile(join(ROOT, target), 'utf8')).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    slug(heading),
  );
  return headings.includes(anchor) ? undefined : 'there is no such heading';
}

/** The anchor of a heading. */
function slug(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');
}
