import { expect } from 'chai';
import fc from 'fast-check';

import { boundedWords, publicWords, quotesOthers } from '../../src/core/server-words.ts';

describe('publicWords', () => {
  const shown = (sqlstate: string, message: string): string => publicWords({ sqlstate, message }).message;

  /** Messages from PostgreSQL's translations; the value is `canary`. */
  const TABLE: readonly (readonly [message: string, shown: string])[] = [
    ['invalid input syntax for type integer: "canary"', 'invalid input syntax for type integer: "…"'],
    ['value "canary" is out of range for type integer', 'value "…" is out of range for type integer'],
    ['invalid value "canary" for "YYYY"', 'invalid value "…"'],
    ['invalid input syntax for type integer: "a"canary"b"', 'invalid input syntax for type integer: "…"'],
    ['invalid input syntax for type integer: "first\ncanary"', 'invalid input syntax for type integer: "…"'],
    ['invalid input syntax for type integer: "canary', 'invalid input syntax for type integer: "…"'],
    [
      'character with byte sequence 0xe2 0x82 0xac in encoding "UTF8" has no equivalent in encoding "LATIN1"',
      'character with byte sequence … … … in encoding "…"',
    ],
    ['setval: value -73.5e3 is out of bounds', 'setval: value … is out of bounds'],
    ['division by zero', 'division by zero'],
    ['setval: 値7307はシーケンス"s"の範囲外です', 'setval: 値…はシーケンス"…"の範囲外です'],
    ['integer out of range', 'integer out of range'],
    ['invalid input syntax for type int8', 'invalid input syntax for type int8'],
    ['ungültige Eingabesyntax für Typ integer: »canary«', 'ungültige Eingabesyntax für Typ integer: "…"'],
    [
      'syntaxe en entrée invalide pour le type integer : « canary »',
      'syntaxe en entrée invalide pour le type integer : "…"',
    ],
    [
      'la sintaxis de entrada no es válida para tipo integer: «canary»',
      'la sintaxis de entrada no es válida para tipo integer: "…"',
    ],
    ['неверный синтаксис для типа integer: "canary"', 'неверный синтаксис для типа integer: "…"'],
    ['„canary“ ist außerhalb', '"…" ist außerhalb'],
    ['“canary” está fuera', '"…" está fuera'],
    ['値「canary」は範囲外です', '値"…"は範囲外です'],
    ['type integer\ufffd canary \ufffd', 'type integer"…"'],
    // Georgian uses no quotation marks.
    ['diapazoni: დიაპაზონის canary', '…'],
  ];
  for (const [message, expected] of TABLE) {
    it(JSON.stringify(message), () => {
      expect(shown('22P02', message)).to.equal(expected);
    });
  }

  it('mask any value between quotation marks', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        expect(shown('22P02', `invalid input syntax for type integer: "${value}"`)).to.equal(
          'invalid input syntax for type integer: "…"',
        );
        expect(shown('22003', `value "${value}" is out of range`)).to.equal('value "…" is out of range');
      }),
    );
  });

  it('depend on the SQLSTATE class: names of tables and constraints are kept', () => {
    for (const sqlstate of ['22003', '2201B', '38000', '39000', 'HV00J'])
      expect(shown(sqlstate, 'x "a"'), sqlstate).to.equal('x "…"');
    for (const sqlstate of ['23505', '42P01', 'P0001', '55P03'])
      expect(shown(sqlstate, 'x "a" 5'), sqlstate).to.equal('x "a" 5');
    expect(
      publicWords({
        sqlstate: '42P01',
        message: 'relation "a"',
        hint: 'see "a"',
        detail: 'd',
        where: 'w',
        mayQuoteRows: true,
      }),
    ).to.deep.equal({
      message: 'relation "…"',
      hint: 'see "…"',
    });
  });
});

describe('quotesOthers', () => {
  const source = 'ALTER TABLE public."Users" ADD COLUMN email text';
  const table: readonly (readonly [message: string, expected: boolean])[] = [
    ['relation "users" does not exist', false],
    ['relation "public.users" does not exist', false],
    ['column "email" of relation "users" already exists', false],
    ['relation "ada@example.com" does not exist', true],
    ['column "email" of relation "ada" already exists', true],
    ['Relation »users« existiert nicht', false],
    ['must be owner of table users', false],
  ];
  for (const [message, expected] of table) {
    it(`${message}: ${expected}`, () => {
      expect(quotesOthers(message, source)).to.equal(expected);
    });
  }
});

describe('boundedWords', () => {
  it('cut a long text, and leave no part of a password', () => {
    expect(boundedWords('short')).to.equal('short');
    const cut = boundedWords(`begin ${'x'.repeat(5_000_000)} end`);
    expect(cut).to.match(/^begin x+ … \[cut: 5000010 characters in all\] … x+ end$/);
    expect(Buffer.byteLength(cut)).to.equal(8_000);
    expect(boundedWords(`PASSWORD '${'hunter2'.repeat(100_000)}'`)).to.not.include('hunter2');
  });
});
