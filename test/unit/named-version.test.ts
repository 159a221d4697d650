import { expect } from 'chai';

import { namedVersion, versionGuess } from '../../src/core/plan/named-version.ts';

const KNOWN = ['001_accounts', '003_orders', '003_bonus', '004_notes', '10_late', '20240101'];

describe('namedVersion', () => {
  const table: [text: string, version: string][] = [
    ['1', '001_accounts'],
    ['0001', '001_accounts'],
    ['4', '004_notes'],
    ['10', '10_late'],
    ['20240101', '20240101'],
    ['004_notes', '004_notes'],
  ];
  for (const [text, version] of table) {
    it(`${text} is ${version}`, () => {
      expect(namedVersion(text, KNOWN)).to.equal(version);
    });
  }

  it('returns the text when it is ambiguous, unknown, or not a number', () => {
    for (const text of ['3', '2', '1_accounts', 'accounts', '']) expect(namedVersion(text, KNOWN)).to.equal(text);
  });
});

describe('versionGuess', () => {
  const table: [text: string, guess: string][] = [
    ['3', 'did you mean 003_orders or 003_bonus?'],
    ['003_ordres', 'did you mean 003_orders?'],
    ['3_x', 'did you mean 003_orders or 003_bonus?'],
    ['002', 'did you mean 001_accounts or 003_bonus?'],
    ['0', 'did you mean 001_accounts?'],
    ['005_note', 'did you mean 004_notes?'],
    ['20250101', 'did you mean 20240101?'],
  ];
  for (const [text, guess] of table) {
    it(`${text}: ${guess}`, () => {
      expect(versionGuess(text, KNOWN)).to.equal(guess);
    });
  }

  it('returns nothing without a similar version', () => {
    expect(versionGuess('1', [])).to.equal(undefined);
    expect(versionGuess('something else', KNOWN)).to.equal(undefined);
  });
});
