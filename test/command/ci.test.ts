/** docs/ci.md and action.yml: each snippet runs as it is written, in a clone with a branch that adds a migration. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { Ajv } from 'ajv';
import { expect } from 'chai';
import { parse } from 'yaml';

import { blocksOf } from '../../scripts/docs/pages.ts';
import { distFolder, lockstepCommand } from '../support/cli.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const WHO = ['-c', 'user.name=x', '-c', 'user.email=x@example.org'];

interface Step {
  readonly run?: string;
  readonly env?: Readonly<Record<string, string>>;
}

describe('reviews in CI', () => {
  let root = '';
  let clone = '';
  let env: Record<string, string> = {};

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'lockstep-ci-'));
    clone = join(root, 'clone');
    const program = join(root, 'bin', 'lockstep');
    await mkdir(join(root, 'bin'));
    const words = lockstepCommand().map((word) => `"${word}"`);
    await writeFile(program, `#!/bin/sh\nexec ${words.join(' ')} "$@"\n`);
    await chmod(program, 0o755);
    env = {
      PATH: [join(root, 'bin'), dirname(process.execPath), process.env['PATH'] ?? ''].join(':'),
      ...{ HOME: root, GIT_CONFIG_GLOBAL: '/dev/null', GITHUB_BASE_REF: 'main' },
      ...{ GITHUB_STEP_SUMMARY: join(root, 'summary.md'), CI_MERGE_REQUEST_TARGET_BRANCH_NAME: 'main' },
    };
    const git = (...args: readonly string[]): unknown => execFileSync('git', [...WHO, ...args], { env, stdio: 'pipe' });
    const origin = join(root, 'origin');
    const migrations = join(origin, 'db', 'migrations');
    git('init', '-q', '-b', 'main', origin);
    await mkdir(migrations, { recursive: true });
    await writeFile(join(migrations, '001_customers.up.sql'), 'CREATE TABLE customers (id bigint);\nDROP TABLE old;\n');
    git('-C', origin, 'add', '-A');
    git('-C', origin, 'commit', '-qm', 'x');
    git('-C', origin, 'checkout', '-qb', 'topic');
    await writeFile(join(migrations, '002_email.up.sql'), 'SELECT 1;\nALTER TABLE customers DROP COLUMN id;\n');
    git('-C', origin, 'add', '-A');
    git('-C', origin, 'commit', '-qm', 'y');
    git('clone', '-q', '--depth', '1', '--branch', 'topic', `file://${origin}`, clone);
  });
  after(() => rm(root, { recursive: true, force: true }));

  function shell(
    script: string,
    more: Readonly<Record<string, string>> = {},
  ): { status: number | null; stdout: string } {
    const { status, stdout } = spawnSync('bash', ['-eo', 'pipefail', '-c', script], {
      cwd: clone,
      env: { ...env, ...more },
      encoding: 'utf8',
    });
    return { status, stdout };
  }

  async function snippets(language: string): Promise<string[]> {
    const text = await readFile(join(ROOT, 'docs/ci.md'), 'utf8');
    return blocksOf({ path: 'docs/ci.md', text }).flatMap((one) => (one.language === language ? one.text : []));
  }

  it('in a shell: only what is new, and with --strict 21', async () => {
    const [review = '', hook = '', newer = ''] = await snippets('sh');
    const strict = shell(review);
    expect(strict.status).to.equal(21);
    expect(strict.stdout)
      .to.match(/^002_email\.up\.sql:2:1: warning: .* \[drop-column\]$/m)
      .and.not.include('001_');
    expect(shell(hook)).to.include({ status: 0 }).and.to.have.property('stdout').that.includes('0 warnings');
    expect(shell(newer).stdout).to.include('002_email').and.not.include('001_customers.up.sql');
  });

  it('on GitHub: annotations, the summary, and SARIF by its schema', async () => {
    const [, workflow = ''] = await snippets('yaml');
    const { jobs } = parse(workflow) as { jobs: { migrations: { steps: readonly Step[] } } };
    const said = jobs.migrations.steps.map(({ run = '' }) => shell(run));
    for (const { status } of said) expect(status).to.equal(0);
    expect(said.map(({ stdout }) => stdout).join('')).to.include(
      '::warning file=db/migrations/002_email.up.sql,line=2,col=1,title=drop-column::',
    );
    expect(await readFile(join(root, 'summary.md'), 'utf8')).to.include('db/migrations/002_email.up.sql:2');
    const sarif: unknown = JSON.parse(await readFile(join(clone, 'lockstep.sarif'), 'utf8'));
    expect(await sarifProblems(sarif)).to.deep.equal([]);
    expect(await sarifProblems({ version: '2.1.0' })).to.have.lengthOf(1);
  });

  it('on GitLab: a code quality report', async () => {
    const page = await snippets('yaml');
    const { migrations } = parse(page.at(-1)!) as { migrations: { script: readonly string[] } };
    expect(shell(migrations.script.join('\n')).status).to.equal(0);
    const [entry] = JSON.parse(await readFile(join(clone, 'lockstep.json'), 'utf8')) as object[];
    expect(entry).to.deep.include({
      check_name: 'drop-column',
      severity: 'major',
      location: { path: 'db/migrations/002_email.up.sql', lines: { begin: 2 } },
    });
  });

  it('by action.yml: annotates what the pull request adds, and fails with strict', async () => {
    const { inputs, runs } = parse(await readFile(join(ROOT, 'action.yml'), 'utf8')) as {
      inputs: Readonly<Record<string, { default: string }>>;
      runs: { steps: readonly Step[] };
    };
    const action = join(root, 'action');
    await mkdir(action);
    execFileSync('ln', ['-s', distFolder(), join(action, 'dist')]);
    const run = (chosen: Readonly<Record<string, string>>) => {
      const value = (name: string): string =>
        name === 'github.base_ref' ? 'main' : (chosen[name.slice(7)] ?? inputs[name.slice(7)]!.default);
      return runs.steps
        .map(({ run: script = '', env: wanted = {} }) => {
          const given = Object.entries(wanted).map(([name, text]) => [
            name,
            text.replaceAll(/\$\{\{ ([\w.]+) \}\}/g, (_, expression: string) => value(expression)),
          ]);
          return shell(script, {
            GITHUB_ACTION_PATH: action,
            ...(Object.fromEntries(given) as Record<string, string>),
          });
        })
        .at(-1)!;
    };
    const plain = run({ dir: 'db/migrations' });
    expect(plain.status).to.equal(0);
    expect(plain.stdout).to.match(/^::warning file=db\/migrations\/002_email\.up\.sql,.*title=drop-column::/);
    expect(plain.stdout).not.to.include('001_');
    expect(run({ dir: 'db/migrations', strict: 'true' }).status).to.equal(21);
    expect(run({ dir: 'db/migrations', rule: 'drop-column=error' }).status).to.equal(21);
    expect(run({ dir: 'db/migrations', since: 'HEAD' }).stdout).to.include('0 findings');
  });
});

/** The schema is of an older draft of JSON Schema, which differs only in words that it does not use. */
async function sarifProblems(document: unknown): Promise<readonly unknown[]> {
  const path = createRequire(import.meta.url).resolve('@microsoft/jest-sarif/package.json');
  const text = await readFile(join(dirname(path), 'lib/schemas/sarif-2.1.0-rtm.5.json'), 'utf8');
  const { $schema: _, id: _id, ...schema } = JSON.parse(text) as Record<string, unknown>;
  const ajv = new Ajv({ strict: false, validateFormats: false, unicodeRegExp: false });
  return ajv.validate(schema, document) ? [] : (ajv.errors ?? []);
}
