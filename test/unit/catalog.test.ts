/** The catalog as a model: its order, its text, its differences, and when two texts of the server mean the same. */
import { expect } from 'chai';
import fc from 'fast-check';

import { createSqlParser } from '../../src/adapters/sql-parser/parser.ts';
import { catalogOf, type Catalog, type CatalogRow } from '../../src/core/catalog/catalog.ts';
import { diffCatalogs } from '../../src/core/catalog/diff.ts';
import { asStatements, sameMeaning } from '../../src/core/catalog/same-meaning.ts';
import { parseCatalog, writeCatalog } from '../../src/core/catalog/text.ts';

const ROWS: readonly CatalogRow[] = [
  {
    kind: 'table',
    name: 'public.orders',
    part: { kind: 'index', name: 'by_total', is: 'USING btree (total)' },
    properties: {},
  },
  {
    kind: 'table',
    name: 'public.orders',
    part: { kind: 'column', name: 'total', is: 'numeric(10,2) not null' },
    properties: { default: '0' },
  },
  { kind: 'table', name: 'public.orders', part: { kind: 'column', name: '"a: b"', is: 'text' }, properties: {} },
  { kind: 'table', name: 'public.orders', properties: { owner: '@owner', comment: 'in\\out' } },
  { kind: 'function', name: 'public.f()', properties: { source: 'CREATE FUNCTION f()\n\n  AS $$ | $$' } },
  { kind: 'operator class', name: 'public.ops USING btree', properties: {} },
];

const TEXT = `-- What the migrations make. Written by "lockstep prove --write"; do not edit.
server 18

function public.f()
  source:
    | CREATE FUNCTION f()
    | 
    |   AS $$ | $$

operator class public.ops USING btree

table public.orders
  owner: @owner
  comment: in\\\\out
  column total numeric(10,2) not null
    default: 0
  column "a: b" text
  index by_total USING btree (total)
`;

describe('the text of a catalog', () => {
  it('is sorted; columns keep their order', () => {
    expect(writeCatalog(catalogOf(18, ROWS))).to.equal(TEXT);
  });

  it('reads back as what was written', () => {
    expect(parseCatalog(TEXT)).to.deep.equal(catalogOf(18, ROWS));
    expect(parseCatalog(TEXT.replaceAll('\n', '\r\n'))).to.deep.equal(catalogOf(18, ROWS));
  });

  it('reads back whatever a property or a name holds', () => {
    const text = fc.string({ unit: fc.constantFrom('a', ' ', '\n', '\r', '\\', 'n', ':', '|', '-', '"', '\t', 'é') });
    fc.assert(
      fc.property(text, text, text, (comment, is, name) => {
        const column = { kind: 'column', name: `"x${name.replaceAll('"', '""')}"`, is: is.trim() } as const;
        const rows: CatalogRow[] = [
          { kind: 'table', name: `public."x${name}"`, properties: { comment, owner: 'a' } },
          { kind: 'table', name: `public."x${name}"`, part: column, properties: { comment } },
        ];
        expect(parseCatalog(writeCatalog(catalogOf(14, rows)))).to.deep.equal(catalogOf(14, rows));
      }),
    );
  });

  it('says which line is wrong', () => {
    expect(parseCatalog('server 18\n\ntabel public.a\n')).to.match(/^line 3 /);
    expect(parseCatalog('server 18\n  owner: a\n')).to.match(/^line 2 /);
    expect(parseCatalog('')).to.match(/which server/);
  });
});

function changed(change: (row: CatalogRow) => CatalogRow | undefined, major = 18): Catalog {
  return catalogOf(
    major,
    ROWS.flatMap((row) => change(row) ?? []),
  );
}

describe('the differences of two catalogs', () => {
  const expected = catalogOf(18, ROWS);

  it('are none between equal ones', () => {
    expect(
      diffCatalogs(
        expected,
        changed((row) => row),
      ),
    ).to.deep.equal([]);
  });

  it('name an object and its part once, also where all of it is gone', () => {
    const without = changed((row) => (row.part?.kind === 'index' || row.kind === 'function' ? undefined : row));
    expect(diffCatalogs(expected, without)).to.deep.equal([
      { object: 'function public.f()', change: 'missing' },
      { object: 'index by_total on table public.orders', change: 'missing' },
    ]);
    expect(diffCatalogs(without, expected).map(({ change }) => change)).to.have.members(['foreign', 'foreign']);
    const empty = changed(({ kind, ...row }) => (kind === 'table' ? undefined : { kind, ...row }));
    expect(diffCatalogs(expected, empty)).to.deep.equal([{ object: 'table public.orders', change: 'missing' }]);
  });

  it('say what was expected and what was found', () => {
    const other = changed((row) => (row.properties['default'] === undefined ? row : { ...row, properties: {} }));
    expect(diffCatalogs(expected, other)).to.deep.equal([
      { object: 'column total of table public.orders', change: 'different', property: 'default', expected: '0' },
    ]);
  });

  it('have a note where only the order of columns differs', () => {
    const other = catalogOf(18, ROWS.toReversed());
    expect(diffCatalogs(expected, other)).to.deep.equal([
      {
        object: 'table public.orders',
        change: 'different',
        property: 'order of columns',
        expected: 'total, "a: b"',
        found: '"a: b", total',
        note: true,
      },
    ]);
  });

  it('leave out deparsed texts on another major version, and nothing else', () => {
    const change = (row: CatalogRow): CatalogRow =>
      row.part?.name === 'total'
        ? { ...row, part: { ...row.part, is: 'integer' }, properties: { default: '(0)' } }
        : row.part?.kind === 'index'
          ? { ...row, part: { ...row.part, is: 'USING btree ((total))' } }
          : row;
    expect(diffCatalogs(expected, changed(change))).to.have.length(3);
    expect(diffCatalogs(expected, changed(change, 17)).map(({ found }) => found)).to.deep.equal(['integer']);
  });
});

describe('two deparsed texts', () => {
  const cases: readonly (readonly [one: string, other: string, same: boolean])[] = [
    [
      `CHECK (((a)::text = ANY ((ARRAY['x'::character varying, 'y'::character varying])::text[])))`,
      `CHECK (((a)::text = ANY (ARRAY[('x'::character varying)::text, ('y'::character varying)::text])))`,
      true,
    ],
    [`CHECK ((a > 1))`, `CHECK ((a > 2))`, false],
    [`(a + 1)`, `a + 1`, true],
    [`'x'::text`, `'y'::text`, false],
    [`USING btree (a)`, `USING btree (a DESC)`, false],
    [`UNIQUE USING btree (a) WHERE (b > 0)`, `UNIQUE USING btree (a) WHERE b > 0`, true],
    [`UNIQUE USING btree (a)`, `USING btree (a)`, false],
    [
      `TRIGGER t BEFORE UPDATE ON a FOR EACH ROW WHEN ((new.b > 0)) EXECUTE FUNCTION f()`,
      `TRIGGER t BEFORE UPDATE ON a FOR EACH ROW WHEN (new.b > 0) EXECUTE FUNCTION f()`,
      true,
    ],
    [` SELECT a\n   FROM t`, `SELECT a FROM t`, true],
    [`((`, `((`, false],
  ];
  for (const [one, other, same] of cases) {
    it(`${one} and ${other} ${same ? 'mean the same' : 'differ'}`, async () => {
      const parser = createSqlParser();
      const parse = (text: string): Promise<Awaited<ReturnType<typeof parser.parse>>[]> =>
        Promise.all(asStatements(text).map((statement) => parser.parse(statement)));
      const [first, second] = [await parse(one), await parse(other)];
      expect(first.some((result, at) => second[at] && sameMeaning(result, second[at]))).to.equal(same);
    });
  }
});
