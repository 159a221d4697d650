import { createHash } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';

import { placed } from '../../src/adapters/postgres/state/place.ts';
import { relationQueries } from '../../src/adapters/postgres/state/relation-facts.ts';
import {
  derivedKey,
  journalName,
  keyExpression,
  ORIGINAL_KEY,
  resolveRelation,
  tableComment,
  type RelationFacts,
} from '../../src/adapters/postgres/state/relation.ts';
import type { ErrorCode, MigratorError } from '../../src/core/errors.ts';
import type { TableShape } from '../../src/core/import/foreign-table.ts';
import type { TableName } from '../../src/core/table-name.ts';

const TABLE: TableName = { name: 'schema_migrations' };
const OLD_JOURNAL = ['id', 'at', 'run', 'event', 'version', 'irreversible', 'hold', 'more', 'statement_sql'];
const JOURNAL = [...OLD_JOURNAL, 'file', 'line', 'sqlstate'];

function facts(more: Partial<RelationFacts> = {}): RelationFacts {
  return {
    schema: 'public',
    key: ORIGINAL_KEY,
    shape: null,
    comment: null,
    oid: null,
    journal: null,
    journalOid: null,
    ...more,
  };
}

/** A table as PostgreSQL describes it. */
function table(...columns: readonly string[]): TableShape {
  const described = columns.map((name) => ({
    name,
    category: name === 'applied_at' ? 'D' : 'S',
    needed: name === 'version',
  }));
  return { kind: 'table', columns: described, unique: true };
}

function changed(name: string, change: object): TableShape {
  const shape = table('version', 'applied_at', 'checksum');
  return {
    ...shape,
    columns: (shape.columns ?? []).map((column) => (column.name === name ? { ...column, ...change } : column)),
  };
}

describe('the lock key', () => {
  it("is the original Go runner's key for schema_migrations in any schema", () => {
    expect(ORIGINAL_KEY).to.equal('7244554146635925501');
    for (const table of [
      TABLE,
      { schema: 'shop', name: 'schema_migrations' },
      { schema: 'Other', name: 'schema_migrations' },
    ]) {
      expect(keyExpression(table, undefined)).to.equal(`'7244554146635925501'::bigint`);
    }
  });

  it('is derived from schema and name for other tables', () => {
    // printf %s shop.history | sha256sum
    expect(derivedKey('shop', 'history')).to.equal(BigInt.asIntN(64, 0x1603967650bac653n).toString());
    expect(keyExpression({ schema: 'shop', name: 'history' }, undefined)).to.include(
      `'${derivedKey('shop', 'history')}'`,
    );
  });

  it('is the first 8 bytes of SHA-256 over schema.name, signed', () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'B', 'é', '😀', '.', '"'), minLength: 1 });
    fc.assert(
      fc.property(name, name, (schema, table) => {
        const hex = createHash('sha256').update(`${schema}.${table}`).digest('hex').slice(0, 16);
        return derivedKey(schema, table) === BigInt.asIntN(64, BigInt(`0x${hex}`)).toString();
      }),
    );
  });

  it('comes from the server when only the server knows the schema', () => {
    expect(keyExpression({ name: 'history' }, undefined))
      .to.include('sha256')
      .and.include('lockstep.place')
      .and.include("'.history'");
  });

  it('is overridden by --lock-key', () => {
    for (const table of [TABLE, { name: 'history' }, { schema: 'shop', name: 'history' }]) {
      expect(keyExpression(table, -5n)).to.equal("'-5'::bigint");
    }
  });
});

describe('names in SQL', () => {
  it('are quoted', () => {
    const table = { schema: `sh"o'p`, name: `ta"b'le` };
    expect(Object.values(relationQueries(table)).join())
      .to.include(`'sh"o''p'`)
      .and.include(`'"sh""o''p"."ta""b''le"'`)
      .and.include(`'"sh""o''p"."ta""b''le_journal"'`);
    expect(placed({ name: table.name })).to.include(`'."ta""b''le"'`);
    const relation = resolveRelation(table, facts({ schema: table.schema }));
    expect(relation.table).to.equal(`"sh""o'p"."ta""b'le"`);
    expect(relation.journal).to.equal(`"sh""o'p"."ta""b'le_journal"`);
    expect(journalName('history')).to.equal('history_journal');
  });
});

describe('resolveRelation', () => {
  const ours = {
    shape: table('version', 'applied_at', 'checksum'),
    comment: tableComment(ORIGINAL_KEY),
    journal: JOURNAL,
  };
  const accepted: [name: string, facts: Partial<RelationFacts>, exists: boolean, complete: boolean][] = [
    ['no table', {}, false, false],
    ["Lockstep's table", ours, true, true],
    ["the original Go runner's table", { shape: table('version', 'applied_at') }, true, false],
    [
      "the original Go runner's table with a foreign comment",
      { shape: table('version', 'applied_at'), comment: 'ours since 2019' },
      true,
      false,
    ],
    ["Lockstep's table without its journal", { ...ours, journal: null }, true, false],
    [
      "Lockstep's table with the journal of an early version",
      { ...ours, journal: JOURNAL.filter((column) => column !== 'irreversible') },
      true,
      false,
    ],
    [
      "Lockstep's table with the journal of a version that stored no statement text",
      { ...ours, journal: JOURNAL.filter((column) => column !== 'statement_sql') },
      true,
      false,
    ],
    [
      "Lockstep's table with the journal of a version that kept no place of a failure",
      { ...ours, journal: OLD_JOURNAL },
      true,
      false,
    ],
    ["Lockstep's table without its comment", { ...ours, comment: null }, true, false],
    [
      "Lockstep's table with a column of a newer format",
      { ...ours, shape: table('version', 'applied_at', 'checksum', 'more') },
      true,
      true,
    ],
    [
      'a newer format that is readable',
      { ...ours, comment: `Lockstep history, format 9, readable since 1, lock key ${ORIGINAL_KEY}` },
      true,
      true,
    ],
  ];
  for (const [name, overrides, exists, complete] of accepted) {
    it(`accepts ${name}`, () => {
      expect(resolveRelation(TABLE, facts(overrides))).to.deep.include({
        schema: 'public',
        key: ORIGINAL_KEY,
        exists,
        complete,
      });
    });
  }

  const refused: [name: string, facts: Partial<RelationFacts>, code: ErrorCode, words: RegExp][] = [
    ['another key', { ...ours, comment: tableComment('5') }, 'CONFIG_INVALID', /key 5\b.*7244554146635925501/],
    ['a negative key that differs', { ...ours, key: '5', comment: tableComment('-5') }, 'CONFIG_INVALID', /key -5\b/],
    [
      'a newer format that is not readable',
      { ...ours, comment: `Lockstep history, format 9, readable since 8, lock key ${ORIGINAL_KEY}` },
      'CONFIG_INVALID',
      /format 9, readable since 8.*format 1/,
    ],
    ['a search_path without schemas', { schema: null }, 'CONFIG_INVALID', /search_path/],
    [
      "golang-migrate's table",
      { shape: table('version', 'dirty') },
      'HISTORY_CONFLICT',
      /public\.schema_migrations belongs to golang-migrate/,
    ],
    ["dbmate's table", { shape: table('version') }, 'HISTORY_CONFLICT', /dbmate/],
    [
      'a view',
      { shape: { ...table('version', 'applied_at'), kind: 'view' } },
      'HISTORY_CONFLICT',
      /public\.schema_migrations is a view/,
    ],
    [
      'a table without a key',
      { shape: { ...table('version', 'applied_at'), unique: false } },
      'HISTORY_CONFLICT',
      /cannot be used/,
    ],
    ['a number for a version', { shape: changed('version', { category: 'N' }) }, 'HISTORY_CONFLICT', /cannot be used/],
    [
      'a required column that Lockstep does not fill',
      { shape: changed('applied_at', { needed: true }) },
      'HISTORY_CONFLICT',
      /cannot be used/,
    ],
    [
      'a checksum of another kind',
      { shape: changed('checksum', { category: 'N' }) },
      'HISTORY_CONFLICT',
      /cannot be used/,
    ],
    [
      "another relation with the journal's name",
      { journal: ['a'] },
      'HISTORY_CONFLICT',
      /public\.schema_migrations_journal.*another program/,
    ],
    ['a table of an unknown program', { shape: table('id', 'name') }, 'HISTORY_CONFLICT', /another program/],
  ];
  for (const [name, overrides, code, words] of refused) {
    it(`refuses ${name}`, () => {
      const error = thrownBy(() => resolveRelation(TABLE, facts(overrides)));
      expect(error.code).to.equal(code);
      expect(error.summary).to.match(words);
      expect(error.hint).to.be.a('string');
    });
  }

  it('names the schema that does not exist', () => {
    const error = thrownBy(() => resolveRelation({ schema: 'shop', name: 'history' }, facts({ schema: null })));
    expect(error.code).to.equal('CONFIG_INVALID');
    expect(error.summary).to.include('"shop"');
  });

  it('names the columns of a foreign table', () => {
    const error = thrownBy(() => resolveRelation(TABLE, facts({ shape: table('version', 'dirty') })));
    expect(error.details.problems?.join()).to.include('version, dirty');
  });
});

function thrownBy(body: () => unknown): MigratorError {
  try {
    body();
  } catch (error) {
    return error as MigratorError;
  }
  throw new Error('nothing was thrown');
}
