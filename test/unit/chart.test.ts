import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';

import { withValues } from '../../scripts/chart/generated.ts';
import { valueRows, valuesTable } from '../../scripts/chart/values-table.ts';
import { exitsOf } from '../../scripts/docs.ts';
import { ERRORS, type ErrorCode } from '../../src/core/errors.ts';

const root = resolve(import.meta.dirname, '../..');
const chart = join(root, 'charts/lockstep');
const read = (path: string): Promise<string> => readFile(join(chart, path), 'utf8');

/** Only the parent chart sets or reads these. */
const FOREIGN = ['global', 'enabled'];

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
}

/** Every schema path that leads to a value. */
function leaves({ properties = {} }: Schema, prefix = ''): string[] {
  return Object.entries(properties).flatMap(([name, inner]) =>
    inner.properties === undefined ? [`${prefix}${name}`] : leaves(inner, `${prefix}${name}.`),
  );
}

// Checks without Helm; test/chart has the rest.
describe('charts/lockstep', () => {
  it('uses the package version as chart version and app version, also in the example', async () => {
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
    const about = parse(await read('Chart.yaml')) as { version: string; appVersion: string; kubeVersion: string };
    expect([about.version, about.appVersion, about.kubeVersion]).to.deep.equal([version, version, '>=1.29.0-0']);
    const example = parse(await readFile(join(root, 'examples/app-chart/Chart.yaml'), 'utf8')) as {
      dependencies: { version: string }[];
    };
    expect(example.dependencies.map((each) => each.version)).to.deep.equal([version]);
  });

  it('fails a Job on exactly the exit codes that src/core/errors.ts marks as final', async () => {
    const codes = Object.keys(ERRORS) as ErrorCode[];
    const final = codes.filter((code) => ERRORS[code].job === 'FailJob').flatMap(exitsOf);
    const literal = /define "lockstep\.finalExitCodes" -}}\n\[([\d, ]+)\]/.exec(await read('templates/_job.tpl'))?.[1];
    expect(literal?.split(', ').map(Number)).to.deep.equal(final.toSorted((a, b) => a - b));
  });

  it('has the same values in values.yaml, in the schema and in the README (else: npm run chart)', async () => {
    const values = await read('values.yaml');
    const schema = JSON.parse(await read('values.schema.json')) as Schema;
    expect(valueRows(values).map(({ path }) => path)).to.have.members(
      leaves(schema).filter((path) => !FOREIGN.includes(path)),
    );
    expect(await read('README.md')).to.equal(withValues(await read('README.md'), values));
  });
});

describe('the table of values', () => {
  it('has a row with path, default and meaning for each value, including the first', () => {
    const yaml =
      '# About the file.\n\n# -- First.\na: 1\nb:\n  # -- Inner.\n  c: []\n# Aside.\n# -- Whole | thing.\nd:\n  e: x\n';
    expect(valueRows(yaml)).to.deep.equal([
      { path: 'a', default: '1', description: 'First.' },
      { path: 'b.c', default: '[]', description: 'Inner.' },
      { path: 'd', default: '{"e":"x"}', description: 'Whole | thing.' },
    ]);
    expect(valuesTable(yaml)).to.include('| `d` | `{"e":"x"}` | Whole \\| thing. |');
  });

  it('refuses a value without a description, and a README without a marker', () => {
    expect(() => valueRows('# -- A.\na: 1\nb: 2\n')).to.throw('nothing about b');
    expect(() => withValues('nothing here', '# -- A.\na: 1\n')).to.throw('no place');
  });
});
