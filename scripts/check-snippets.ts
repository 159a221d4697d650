// Answers: does the TypeScript in README.md and docs/ type-check? Part of npm run check:types.
import { join } from 'node:path';
import ts from 'typescript';

import { blocksOf, readPages, ROOT, type Block } from './docs/pages.ts';

/** Fails the check if the snippets are not checked against the library's real types. */
const CONTROL: Block = {
  page: 'scripts/check-snippets.ts',
  language: 'ts',
  text: `import { runMigrations } from 'lockstep';
// @ts-expect-error: there is no such direction
await runMigrations({ direction: 'sideways' });
`,
};

/** Checks each block as a file beside package.json, where `lockstep` is src/index.ts. */
function typeProblems(blocks: readonly Block[]): string[] {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (path) => ts.sys.readFile(path)) as {
    config: object;
  };
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, ROOT);
  Object.assign(options, { paths: { lockstep: [join(ROOT, 'src/index.ts')] } });
  const files = new Map(blocks.map((block, index) => [join(ROOT, `snippet-${index}.mts`), block]));
  const disk = ts.createCompilerHost(options);
  const program = ts.createProgram([...files.keys()], options, {
    ...disk,
    fileExists: (path) => files.has(path) || disk.fileExists(path),
    readFile: (path) => files.get(path)?.text ?? disk.readFile(path),
    getSourceFile(path, target, ...rest) {
      const block = files.get(path);
      return block ? ts.createSourceFile(path, block.text, target) : disk.getSourceFile(path, target, ...rest);
    },
  });
  return [...files].flatMap(([path, block]) => {
    const source = program.getSourceFile(path);
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    return found.map(({ messageText, start = 0 }) => {
      const line = block.text.slice(0, start).split('\n').length;
      const message = ts.flattenDiagnosticMessageText(messageText, '\n');
      return `${block.page}: ${message}\n  ${block.text.split('\n')[line - 1]}`;
    });
  });
}

const snippets = (await readPages()).flatMap(blocksOf).filter(({ language }) => language === 'ts');
const problems = typeProblems([...snippets, CONTROL]);
if (!snippets.some(({ page }) => page === 'README.md')) problems.push('README.md: there is no TypeScript in it');
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
