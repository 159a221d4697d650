import { expect } from 'chai';
import fc from 'fast-check';

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

  it('finds what the name was made of', () => {
    const kinds = [['up', 'up.sql'], ['down', 'down.sql'], ['before', 'before.mjs']] as const;
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
    expect(ordered.toReversed().sort(compareVersions)).to.deep.equal(['0_z', '01_b', '1_a', '1_b', ...ordered.slice(4)]);
  });

  it('is a total order', () => {
    const version = fc.oneof(
      fc.tuple(fc.nat(20), fc.constantFrom('', '0', '00'), fc.string({ maxLength: 2 })).map(([n, zeros, name]) => `${zeros}${n}_${name}`),
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

  it('follows numbers, however long', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 20n }), fc.bigInt({ min: 0n, max: 10n ** 20n }), (a, b) => {
        fc.pre(a !== b);
        expect(compareVersions(`${a}_x`, `${b}_x`)).to.equal(a < b ? -1 : 1);
      }),
    );
  });
});

describe('parseDirectives on any text', () => {
  it('never throws, and finds nothing behind the first statement', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const { directives, problems } = parseDirectives(`SELECT 1;\n${text}\n-- lockstep: irreversible`);
        expect(problems).to.deep.equal([]);
        expect(directives).to.deep.equal({ noTransaction: false, irreversible: false });
        expect(() => parseDirectives(text)).to.not.throw();
      }),
    );
  });

  it('reads a directive among any comments', () => {
    const comment = fc.string().map((text) => `-- ${text.replaceAll(/[\r\n]/g, ' ').replaceAll(/lockstep/gi, '')}`);
    fc.assert(
      fc.property(fc.array(comment), fc.array(comment), (before, after) => {
        const text = [...before, '-- lockstep: no-transaction', ...after, 'SELECT 1;'].join('\n');
        expect(parseDirectives(text)).to.deep.equal({ directives: { noTransaction: true, irreversible: false }, problems: [] });
      }),
    );
  });
});
