import { expect } from 'chai';
import fc from 'fast-check';

import { equalNumbers, isSeed, judgeName, judgeRemarks, mixedNumbers } from '../../src/core/file-names.ts';
import { MigratorError } from '../../src/core/errors.ts';
import { compareVersions, parseDirectives, parseFileName, versionNumber } from '../../src/core/migration.ts';

describe('parseFileName', () => {
  const table: [file: string, parsed: ReturnType<typeof parseFileName>][] = [
    ['001_create_users.up.sql', { version: '001_create_users', kind: 'up' }],
    ['001_create_users.down.sql', { version: '001_create_users', kind: 'down' }],
    ['001_create_users.before.mjs', { version: '001_create_users', kind: 'before' }],
    ['20240131120000_x.up.sql', { version: '20240131120000_x', kind: 'up' }],
    ['0_a.up.sql', { version: '0_a', kind: 'up' }],
    ['1_a.b c-d.up.sql', { version: '1_a.b c-d', kind: 'up' }],
    ['1_a.up.sql.up.sql', { version: '1_a.up.sql', kind: 'up' }],
    ['1_é.up.sql', { version: '1_é', kind: 'up' }],
    ['1_.up.sql', undefined],
    ['1.up.sql', undefined],
    ['1-a.up.sql', undefined],
    ['a_1.up.sql', undefined],
    ['_a.up.sql', undefined],
    ['-1_a.up.sql', undefined],
    ['1_a.sql', undefined],
    ['1_a.up.SQL', undefined],
    ['1_a.Up.sql', undefined],
    ['1_a.up.sql~', undefined],
    ['1_a.up.sql.bak', undefined],
    ['1_a.after.mjs', undefined],
    ['1_a.before.js', undefined],
    ['schema.sql', undefined],
    ['', undefined],
  ];
  for (const [file, parsed] of table) {
    it(`${JSON.stringify(file)}: ${parsed ? `${parsed.kind} of ${parsed.version}` : 'does not fit'}`, () => {
      expect(parseFileName(file)).to.deep.equal(parsed);
    });
  }

  it('returns the parts that the name was built from', () => {
    const kinds = [
      ['up', 'up.sql'],
      ['down', 'down.sql'],
      ['before', 'before.mjs'],
    ] as const;
    fc.assert(
      fc.property(fc.nat(), fc.string({ minLength: 1 }), fc.constantFrom(...kinds), (number, name, [kind, ending]) => {
        const version = `${number}_${name}`;
        expect(parseFileName(`${version}.${ending}`)).to.deep.equal({ version, kind });
        expect(versionNumber(version)).to.equal(String(number));
      }),
    );
  });
});

describe('compareVersions', () => {
  it('orders by number, then by name, and puts versions without a number last', () => {
    const ordered = ['0_z', '1_a', '01_b', '1_b', '2_a', '9_a', '10_a', '0099_x', '20240131120000_x', 'a', 'b'];
    expect(ordered.toReversed().sort(compareVersions)).to.deep.equal([
      '0_z',
      '01_b',
      '1_a',
      '1_b',
      ...ordered.slice(4),
    ]);
  });

  it('is a total order', () => {
    const version = fc.oneof(
      fc
        .tuple(fc.nat(20), fc.constantFrom('', '0', '00'), fc.string({ maxLength: 2 }))
        .map(([n, zeros, name]) => `${zeros}${n}_${name}`),
      fc.string({ maxLength: 4 }),
    );
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        expect(compareVersions(a, b)).to.equal(0 - compareVersions(b, a));
        expect(compareVersions(a, b) === 0).to.equal(a === b);
        if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0) expect(compareVersions(a, c)).to.be.at.most(0);
      }),
    );
  });

  it('orders numbers of any length', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 20n }), fc.bigInt({ min: 0n, max: 10n ** 20n }), (a, b) => {
        fc.pre(a !== b);
        expect(compareVersions(`${a}_x`, `${b}_x`)).to.equal(a < b ? -1 : 1);
      }),
    );
  });
});

describe('parseDirectives on any text', () => {
  it('never throws, and ignores directives after the first statement', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const { directives, problems } = parseDirectives(`SELECT 1;\n${text}\n-- lockstep: irreversible`);
        expect(problems).to.deep.equal([]);
        expect(directives).to.deep.equal({ noTransaction: false, irreversible: false });
        expect(() => parseDirectives(text)).to.not.throw();
      }),
    );
  });

  it('reads a directive between any comments', () => {
    const comment = fc.string().map((text) => `-- ${text.replaceAll(/[\r\n]/g, ' ').replaceAll(/lockstep/gi, '')}`);
    fc.assert(
      fc.property(fc.array(comment), fc.array(comment), (before, after) => {
        const text = [...before, '-- lockstep: no-transaction', ...after, 'SELECT 1;'].join('\n');
        expect(parseDirectives(text)).to.deep.equal({
          directives: { noTransaction: true, irreversible: false },
          problems: [],
        });
      }),
    );
  });
});

describe('judgeName', () => {
  const VERDICTS: Readonly<Record<ReturnType<typeof judgeName>, readonly string[]>> = {
    refused: [
      '1_a.up.pgsql',
      '001_a.down.psql',
      '1_a.up.SQL',
      '1_.up.txt',
      '1_a.up.sql.bak',
      '1_a.up.',
      '1_a.up.sql.gz',
      '20240101_a.down.md',
    ],
    'other tool': [
      '1_a.up.go',
      '00002_rename.go',
      '1700000000000_a.js',
      '20240101-b.ts',
      '0001_initial.py',
      '20240101000000_c.rb',
      'V1_2__x.java',
      'R__views.kt',
      '1_a.before.js',
      '1_a.up.fizz',
    ],
    nothing: [
      'README.md',
      '2_b.up.sql~',
      'schema.txt',
      '1_a_test.go',
      '1_a.test.ts',
      '1_a.d.ts',
      'shared.mjs',
      'go.mod',
      '1_a.UP.txt',
      '1_notes.md',
      'a_1.up.go',
      'V1.txt',
    ],
  };
  for (const [verdict, names] of Object.entries(VERDICTS)) {
    for (const name of names)
      it(`${name}: ${verdict}`, () => expect(judgeName(name, new Set(['2_b.up.sql', name]))).to.equal(verdict));
  }

  it('recognizes the files of prove', () => {
    expect(['1_a.seed.sql', '1_a.seed.sql.up.sql', '_a.seed.sql', '1_.seed.sql'].map(isSeed)).to.deep.equal([
      true,
      false,
      false,
      false,
    ]);
  });
});

describe('judgeRemarks', () => {
  const remarks = [
    { message: 'a', strict: true },
    { message: 'b', strict: false },
  ];
  it('warns, and refuses strict remarks with --strict', () => {
    expect(judgeRemarks(remarks, false)).to.deep.equal(['a', 'b']);
    expect(judgeRemarks(remarks.slice(1), true)).to.deep.equal(['b']);
    expect(() => judgeRemarks(remarks, true))
      .to.throw(MigratorError)
      .with.property('exit', 21);
  });
});

describe('equalNumbers', () => {
  const versions = (...names: readonly string[]) =>
    names.map((version) => ({ version })) as unknown as Parameters<typeof equalNumbers>[0];

  it('returns one sentence about all of them', () => {
    expect(equalNumbers(versions('1_a', '2_a'))).to.equal('');
    expect(equalNumbers(versions('1_a', '1_b', '2_c'))).to.equal(
      'a number is used twice, so their names decide the order: 1_a, 1_b',
    );
    expect(equalNumbers(versions('1_a', '1_b', '2_c', '3_d', '03_e', '3_f'))).to.equal(
      '2 numbers are used twice, so their names decide the order: 1_a, 1_b; 3_d, 03_e, 3_f',
    );
    const many = Array.from({ length: 30 }, (_, index) => [`${index}_a`, `${index}_b`]).flat();
    expect(equalNumbers(versions(...many)))
      .to.match(/^30 numbers are used twice/)
      .and.match(/4_a, 4_b and 25 more$/);
  });

  it('reports timestamps of several kinds, but not a sequential start', () => {
    const mixed: [names: string[], expected: RegExp | ''][] = [
      [['1_a', '9_b', '10_c'], ''],
      [['9_a', '20240101_b'], ''],
      [['20240101_a', '20250101_b'], ''],
      [['99999999_a', '20240101000000_b'], ''],
      [['20240101_a', '20240102000000_b'], /dates \(8 digits\): 20240101_a; times of 14 digits: 20240102000000_b$/],
      [
        ['1700000000_a', '1700000001_b', '1700000000000_c'],
        /seconds \(10 digits\): 1700000000_a to 1700000001_b; milliseconds/,
      ],
      [['202401010000_a', '20240102000000_b'], /12 digits.*14 digits/],
      [['1_x', '1700000000000_a', '20240102000000_b'], /milliseconds.*14 digits/],
    ];
    for (const [names, expected] of mixed) {
      if (expected === '') expect(mixedNumbers(versions(...names)), names.join()).to.equal('');
      else expect(mixedNumbers(versions(...names)), names.join()).to.match(expected);
    }
  });
});
