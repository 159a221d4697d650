import { expect } from 'chai';

import { MigratorError } from '../../src/core/errors.ts';
import type { Migration } from '../../src/core/migration.ts';
import { countTenants, tenantsError, type TenantResult } from '../../src/core/tenants/report.ts';
import { selectSchemas, type Candidate } from '../../src/core/tenants/select.ts';
import { Standings, type Asked } from '../../src/core/tenants/standing.ts';
import type { TenantLook } from '../../src/core/tenants/ports.ts';
import { migration } from '../support/fakes/files.ts';

function candidates(...schemas: readonly string[]): Candidate[] {
  return schemas.map((schema) => ({
    schema,
    hasExtension: schema.startsWith('ext'),
    hasHistory: schema === 'ext_old',
  }));
}

describe('--schemas', () => {
  const all = candidates('public', 't_2', 't_10', 'T_1', 'a.b', 'ext', 'ext_old');
  const table: [include: string[], exclude: string[], schemas: string[], without: string[]][] = [
    [['t_*'], [], ['t_10', 't_2'], []],
    [['t_?'], [], ['t_2'], []],
    [['T_*', 'u_*'], [], ['T_1'], ['u_*']],
    [['*'], ['t_*'], ['T_1', 'a.b', 'ext_old'], []],
    [['public', 'a.b'], [], ['a.b', 'public'], []],
    [['a?b'], [], ['a.b'], []],
    [['ext'], [], ['ext'], []],
    [['t_2', 't_2'], [], ['t_2'], []],
  ];
  for (const [include, exclude, schemas, without] of table) {
    it(`${include.join(',')} without ${exclude.join(',') || 'nothing'}`, () => {
      expect(selectSchemas(all, { include, exclude })).to.deep.equal({ schemas, without });
    });
  }

  it('is refused where no schema matches', () => {
    for (const include of [['p*'], ['a+b'], ['t'], []])
      expect(() => selectSchemas(all, { include, exclude: [] })).to.throw(MigratorError, 'no schema matches');
  });
});

describe('the standing of a schema', () => {
  const files: Migration[] = [migration('1_a', 'SELECT 1'), migration('2_b', 'SELECT 2')];
  const up: Asked = { direction: 'up', target: { kind: 'latest' }, strict: false };
  const down: Asked = {
    direction: 'down',
    target: { kind: 'version', version: '1_a' },
    holds: false,
    database: 'shop',
  };
  const applied = (...versions: readonly string[]): TenantLook => ({
    history: { exists: true, applied: versions.map((version) => ({ version })) },
    journal: { releaseSeen: true, inPart: [] },
    holder: undefined,
  });
  const rolling = { pid: 1, applicationName: 'lockstep down 0.1.0 pod' };
  const applying = { pid: 1, applicationName: 'lockstep up 0.1.0 pod' };

  const table: [title: string, asked: Asked, look: TenantLook | undefined, standing: string][] = [
    ['all applied', up, applied('1_a', '2_b'), 'up to date'],
    ['one pending', up, applied('1_a'), 'work'],
    ['not to be read with others', up, undefined, 'work'],
    ['ahead', up, applied('1_a', '2_b', '3_c'), 'up to date'],
    ['older than the files, so perhaps squashed', up, applied('0_z', '1_a', '2_b'), 'work'],
    ['a new release', up, { ...applied('1_a', '2_b'), journal: { releaseSeen: false, inPart: [] } }, 'new release'],
    ['another run at work', up, { ...applied('1_a'), holder: applying }, 'taken'],
    ['another run has just applied all', up, { ...applied('1_a', '2_b'), holder: applying }, 'up to date'],
    ['a rollback at work', up, { ...applied('1_a', '2_b'), holder: rolling }, 'taken'],
    [
      'in part down',
      up,
      {
        ...applied('1_a', '2_b'),
        journal: { releaseSeen: true, inPart: [{ version: '2_b', direction: 'down', done: ['x'] }] },
      },
      'work',
    ],
    ['something to roll back', down, applied('1_a', '2_b'), 'work'],
    ['rolled back already', down, applied('1_a'), 'up to date'],
    ['nothing applied', down, applied(), 'up to date'],
    ['a target that is not applied', down, applied('2_b'), 'work'],
    ['a hold to add', { ...down, holds: true }, applied('1_a'), 'work'],
  ];
  for (const [title, asked, look, standing] of table) {
    it(`${asked.direction}: ${title}`, () => {
      const looks = new Map(look ? [['a', look]] : []);
      expect(new Standings(files, asked).of('a', { looks, present: new Set(['a']), alone: undefined })).to.equal(
        standing,
      );
    });
  }

  it('leaves what a run of its own would have warned of', () => {
    const standings = new Standings(files, up);
    const ahead = applied('1_a', '2_b', '3_c');
    const changed: TenantLook = {
      ...ahead,
      history: { exists: true, applied: [{ version: '1_a', checksum: 'x' }, { version: '2_b' }] },
    };
    const looks = new Map([
      ['a', ahead],
      ['b', ahead],
      ['c', changed],
      ['d', applied('1_a')],
    ]);
    const look = { looks, present: new Set(looks.keys()), alone: undefined };
    expect(standings.remarksOn([...looks.keys()], look)).to.deep.equal({
      ahead: ['3_c'],
      warnings: [
        'applied, but without a file here (the database is ahead): 3_c (in 2 schemas, the first is a)',
        'c: changed after it was applied: 1_a',
      ],
    });
  });

  it('is "gone" once it was dropped', () => {
    expect(new Standings(files, up).of('a', { looks: new Map(), present: new Set(), alone: undefined })).to.equal(
      'gone',
    );
  });
});

describe('the error of a run over many schemas', () => {
  const failed = (schema: string, error: MigratorError): TenantResult => ({ schema, state: 'failed', error });
  const broken = new MigratorError('MIGRATION_FAILED', 'x', {
    version: '2_b',
    server: { sqlstate: '42P01', message: 'row 4711' },
  });

  it('is that of the gravest, named first, without the words of the server', () => {
    const many = Array.from({ length: 11 }, (_, index) =>
      failed(`t${index}`, new MigratorError('CONTENTION', 'no table lock')),
    );
    const error = tenantsError([...many, failed('z', broken), { schema: 'y', state: 'up to date' }])!;
    expect(error).to.include({ code: 'MIGRATION_FAILED', summary: '12 of 13 schemas failed' });
    expect(error.details.problems![0]).to.equal('z: MIGRATION_FAILED (exit 40) at 2_b, SQLSTATE 42P01');
    expect(error.details.problems).to.have.length(11);
    expect(error.details.problems!.at(-1)).to.equal('and 2 more');
  });

  it('is that of what stopped the run, where nothing is graver', () => {
    const stopped = new MigratorError('INTERRUPTED', 'interrupted by SIGINT', { signal: 'SIGINT' });
    const error = tenantsError([failed('a', broken), { schema: 'b', state: 'not run' }], stopped)!;
    expect(error.exit).to.equal(130);
    expect(error.summary).to.equal('1 of 2 schemas failed, and 1 were not tried');
  });

  it('is none where all is well', () => {
    const results: TenantResult[] = [
      { schema: 'a', state: 'done' },
      { schema: 'b', state: 'gone' },
    ];
    expect(tenantsError(results)).to.equal(undefined);
    expect(countTenants(results)).to.deep.equal({ total: 2, done: 1, upToDate: 0, failed: 0, notRun: 0, gone: 1 });
  });
});
