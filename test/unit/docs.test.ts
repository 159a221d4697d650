import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { expect } from 'chai';
import ts from 'typescript';

import { exitsOf, GENERATED_PAGES, withGenerated } from '../../scripts/docs.ts';
import { parseArguments } from '../../src/cli/cli.ts';
import { parseConfig } from '../../src/config/config.ts';
import { ERRORS, type ErrorCode } from '../../src/core/errors.ts';

const root = resolve(import.meta.dirname, '../..');
const CODES = Object.keys(ERRORS) as ErrorCode[];

interface Page {
  /** From the root of the repository. */
  readonly path: string;
  readonly text: string;
}

interface Block {
  readonly page: string;
  readonly language: string;
  readonly text: string;
}

const pages: Page[] = [];

before(async () => {
  const inDocs = (await readdir(join(root, 'docs'), { recursive: true })).filter((name) => name.endsWith('.md'));
  for (const path of ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...inDocs.map((name) => join('docs', name))]) {
    pages.push({ path, text: await readFile(join(root, path), 'utf8') });
  }
});

function page(path: string): string {
  return pages.find((one) => one.path === path)!.text;
}

function blocksOf({ path, text }: Page): Block[] {
  return [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language = '', body = '']) => ({
    page: path,
    language,
    text: body,
  }));
}

function withoutBlocks(text: string): string {
  return text.replaceAll(/^```.*?^```$/gms, '').replaceAll(/`[^`\n]*`/g, '');
}

describe('generated tables', () => {
  for (const name of GENERATED_PAGES) {
    it(`of ${name} are what the code says (else: npx node scripts/docs.ts)`, () => {
      expect(page(name)).to.equal(withGenerated(page(name), name));
    });
  }

  it('change when the code says something else', () => {
    const stale = page('README.md').replace('`--lock-wait`', '`--lock-weight`');
    expect(withGenerated(stale, 'README.md')).to.equal(page('README.md'));
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

  it('ends a Job for just the codes that say so', () => {
    const values = /action: FailJob\s+onExitCodes: \{ operator: In, values: \[([\d, ]+)\] \}/.exec(
      page('docs/errors.md'),
    )?.[1];
    const final = CODES.filter((code) => ERRORS[code].job === 'FailJob').flatMap(exitsOf);
    expect(values?.split(', ').map(Number)).to.deep.equal(final);
  });
});

describe('docs/json.md', () => {
  it('has a link to each schema', async () => {
    const schemas = await readdir(join(root, 'docs/schemas'));
    expect(schemas.filter((name) => !page('docs/json.md').includes(`](schemas/${name})`))).to.deep.equal([]);
  });
});

describe('every page', () => {
  it('has links that lead somewhere', async () => {
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

  it('names source files that are there', async () => {
    const named = pages.flatMap(({ path, text }) =>
      [...text.matchAll(/`((?:src|test|docs|scripts|migrations)\/[\w./-]*)`/g)].map(([, name = '']) => ({
        path,
        name,
      })),
    );
    const wrong: string[] = [];
    for (const { path, name } of named)
      if (!(await stat(join(root, name)).catch(() => undefined))) wrong.push(`${path}: ${name}`);
    expect(wrong).to.deep.equal([]);
    expect(named.length).to.be.greaterThan(20);
  });

  it('is reached from the README', () => {
    const reached = new Set(['README.md']);
    for (const path of reached) {
      for (const [, link = ''] of (pages.find((one) => one.path === path)?.text ?? '').matchAll(/\]\(([^)#\s]+)/g)) {
        const target = relative(root, resolve(root, dirname(path), link));
        for (const one of pages) if (one.path === target || dirname(one.path) === target) reached.add(one.path);
      }
    }
    expect(pages.map(({ path }) => path).filter((path) => !reached.has(path))).to.deep.equal([]);
  });

  it('names scripts that package.json has', async () => {
    const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const named = pages.flatMap(({ text }) => [...text.matchAll(/npm run ([\w:]+)/g)].map(([, name = '']) => name));
    const table = /^## Scripts\n.*?(?=^## )/ms.exec(page('CONTRIBUTING.md'))?.[0] ?? '';
    const listed = [...table.matchAll(/^\| (`[a-z].*?) \|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`([\w:]+)/g)].map(([, name = '']) => name),
    );
    expect([...named, ...listed].filter((name) => !(name in scripts))).to.deep.equal([]);
    expect(named).to.include('build');
    expect(listed).to.include('test:unit').and.to.include('postgres');
  });

  it('shows command lines that can be given', () => {
    const lines = pages
      .flatMap(blocksOf)
      .flatMap(({ page: path, text }) => commandLines(text).map((words) => ({ path, words })));
    for (const { path, words } of lines) {
      const raw = parseArguments(words);
      if ('command' in raw) expect(parseConfig(raw, {}, { terminal: false }).command, path).to.equal(words[0]);
    }
    expect(lines.length, 'command lines found').to.be.greaterThan(3);
  });

  it('has TypeScript that type-checks', () => {
    const blocks = pages.flatMap(blocksOf).filter(({ language }) => language === 'ts');
    expect(blocks.map((block) => block.page)).to.include('README.md');
    expect(typeProblems(blocks)).to.deep.equal([]);
    expect(
      typeProblems([
        {
          page: 'x',
          language: 'ts',
          text: "import { runMigrations } from 'lockstep';\nawait runMigrations({ direction: 'sideways' });\n",
        },
      ]),
    ).to.have.length(1);
  }).timeout(60_000);
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
  const target = file === '' ? path : relative(root, resolve(root, dirname(path), file));
  const found = await stat(join(root, target)).catch(() => undefined);
  if (!found) return 'there is no such file';
  if (anchor === undefined) return undefined;
  const headings = [...(await readFile(join(root, target), 'utf8')).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    slug(heading),
  );
  return headings.includes(anchor) ? undefined : 'there is no such heading';
}

/** The anchor that a heading gets. */
function slug(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');
}

/** Each block as a file beside package.json, in which `lockstep` is src/index.ts. */
function typeProblems(blocks: readonly Block[]): string[] {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, root);
  Object.assign(options, { paths: { lockstep: [join(root, 'src/index.ts')] } });
  const files = new Map(blocks.map(({ text }, index) => [join(root, `example-${index}.mts`), text]));
  const disk = ts.createCompilerHost(options);
  const host: ts.CompilerHost = {
    ...disk,
    fileExists: (path) => files.has(path) || disk.fileExists(path),
    readFile: (path) => files.get(path) ?? disk.readFile(path),
    getSourceFile(path, target, ...rest) {
      const text = files.get(path);
      return text === undefined ? disk.getSourceFile(path, target, ...rest) : ts.createSourceFile(path, text, target);
    },
  };
  const program = ts.createProgram([...files.keys()], options, host);
  return [...files.keys()].flatMap((path) => {
    const source = program.getSourceFile(path);
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    return found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
  });
}
