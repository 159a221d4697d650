/** Detection of other tools' comments, placeholders, and directives without effect, without false positives. */
import { expect } from 'chai';
import fc from 'fast-check';

import { findMarkers } from '../../src/core/sql/markers.ts';
import { tokensOf } from '../../src/core/sql/tokens.ts';
import type { Direction } from '../../src/core/migration.ts';

function found(text: string, direction: Direction = 'up'): string[] {
  return findMarkers(text, direction).map(({ line, column, message }) => `${line}:${column} ${message}`);
}

const MARKED: readonly (readonly [tool: string, line: string, alsoInDown: boolean])[] = [
  ['goose', '-- +goose Up', true],
  ['goose', '-- +goose Down', false],
  ['goose', '--+goose up', true],
  ['goose', '-- +goose StatementBegin', false],
  ['goose', '-- +goose NO TRANSACTION', false],
  ['goose', '-- +goose ENVSUB ON', false],
  ['dbmate', '-- migrate:up', true],
  ['dbmate', '-- migrate:up transaction:false', true],
  ['dbmate', '-- migrate:down', false],
  ['graphile-migrate', '--! Previous: sha1:0123', true],
  ['sql-migrate', '-- +migrate Up', true],
  ['Liquibase', '--changeset bob:1', true],
  ['Liquibase', '--liquibase formatted sql', true],
  ['Liquibase', '-- changeset bob:create-users runInTransaction:false', true],
  ['node-pg-migrate', '-- Down Migration', false],
  ['tern', '---- create above / drop below ----', true],
  ['MyBatis Migrations', '-- //@UNDO', true],
  ['Play', '-- !Ups', true],
];

describe('marks of other tools', () => {
  for (const [tool, line, alsoInDown] of MARKED) {
    it(`${line}: ${tool}`, () => {
      const text = `SELECT 1;\n  ${line}\nSELECT 2;\n${line}\n`;
      expect(found(text)).to.have.length(1);
      expect(found(text)[0]).to.match(/^2:3 /).and.include(` a marker of ${tool},`);
      expect(found(text, 'down')).to.have.length(alsoInDown ? 1 : 0);
      for (const harmless of [
        `SELECT '\n${line}\n';`,
        `DO $do$\n${line}\n$do$;`,
        `/*\n${line}\n*/ SELECT 1;`,
        `SELECT "\n${line}\n";`,
        `SELECT E'\\'\n${line}\n';`,
      ]) {
        expect(found(harmless), harmless).to.deep.equal([]);
      }
    });
  }

  it('ignores sentences', () => {
    for (const text of [
      '-- goose Up',
      '-- see the down migration for users',
      '-- Up Migration',
      '-- migrate: users',
      '-- changeset',
      '-- +gooseUp',
    ]) {
      expect(found(text), text).to.deep.equal([]);
    }
  });

  it('finds a placeholder only outside strings, comments and dollar quotes', () => {
    expect(found('CREATE TABLE ${schema}.t ();')).to.have.length(1);
    expect(found('SELECT 1;\nCREATE TABLE a${b} ();')[0]).to.match(/^2:15 \$\{b\}/);
    for (const text of [
      `SELECT '\${a}';`,
      '-- ${a}',
      '/* ${a} */',
      'DO $$ ${a} $$;',
      'SELECT "${a}";',
      `SELECT E'\\'\${a}';`,
      'SELECT $1, {a}',
    ])
      expect(found(text), text).to.deep.equal([]);
  });
});

describe('directives at positions where they have no effect', () => {
  const REFUSED: readonly (readonly [text: string, place: string])[] = [
    ['SELECT 1;\n-- lockstep: no-transaction\n', '2:1'],
    ['SELECT 1; -- lockstep: irreversible', '1:11'],
    ['/* lockstep: no-transaction */ SELECT 1;', '1:1'],
    ['/*\n * lockstep: irreversible\n */\nSELECT 1;', '1:1'],
    ['--- lockstep: irreversible\nSELECT 1;', '1:1'],
    ['SELECT 1;\n-- lockstep no-transaction', '2:1'],
    ['SELECT 1;\n-- LOCKSTEP: irreversable', '2:1'],
  ];
  for (const [text, place] of REFUSED) {
    it(JSON.stringify(text), () => {
      expect(found(text)).to.have.length(1);
      expect(found(text)[0])
        .to.match(
          new RegExp(`^${place} (this directive has no effect here|a directive after a statement has no effect)`),
        )
        .and.include('"-- lockstep: ');
    });
  }

  it('ignores effective directives, allowed comments and mere mentions', () => {
    for (const text of [
      '-- lockstep: no-transaction\nSELECT 1;',
      'SELECT 1;\n-- lockstep: allow=drop-table: old\nDROP TABLE a;',
      'SELECT 1; -- lockstep applies this',
      "SELECT '-- lockstep: x';",
      'DO $$ -- lockstep: x\n$$;',
    ]) {
      expect(found(text), text).to.deep.equal([]);
    }
  });
});

describe('tokensOf', () => {
  const TOKENS: readonly (readonly [text: string, kinds: string])[] = [
    ["a'b''c'd", 'code quoted quoted code'],
    ["E'a\\'b' c", 'code quoted code'],
    ["E'a\\\\' 'b'", 'code quoted code quoted'],
    ["te'a\\' b", 'code quoted code'],
    ['$a$ $$ $b$ $a$ x', 'quoted code'],
    ['a$b$ c $b$', 'code quoted'],
    ['$1$2', 'code'],
    ['/* a /* b */ c */ d', 'comment code'],
    ['a--b\r\nc', 'code comment code'],
    ['"a""b"', 'quoted quoted'],
    ['$é$x$é$', 'quoted'],
    ["'open", 'quoted'],
    ['', ''],
  ];
  for (const [text, kinds] of TOKENS) {
    it(JSON.stringify(text), () => expect([...tokensOf(text)].map(({ kind }) => kind).join(' ')).to.equal(kinds));
  }

  it('covers any text without gaps', () => {
    const text = fc
      .array(
        fc.oneof(
          fc.constantFrom("'", '"', '$', '$a$', '$$', '--', '/*', '*/', '\n', '\\', 'E', 'e', ' ', 'ab', 'a$'),
          fc.string({ maxLength: 3 }),
        ),
      )
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, (sql) => {
        let at = 0;
        for (const { start, end } of tokensOf(sql)) {
          expect(start).to.equal(at);
          expect(end).to.be.greaterThan(start);
          at = end;
        }
        expect(at).to.equal(sql.length);
      }),
    );
  });
});
