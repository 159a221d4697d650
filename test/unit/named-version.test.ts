import { expect } from 'chai';

import { namedVersion, versionGuess } from '../../src/core/plan/named-version.ts';

const KNOWN = ['001_accounts', '003_orders', '003_bonus', '004_notes', '10_late', '20240101'];

describe('a version by its number', () => {
  const table: [given: string, version: string][] = [
    ['1', '001_accounts'],
    ['0001', '001_accounts'],
    ['4', '004_notes'],
    ['10', '10_late'],
    ['20240101', '20240101'],
    ['004_notes', '004_notes'],
  ];
  for (const [given, version] of table) {
    it(`${given} is ${version}`, () => {
      expect(namedVersion(given, KNOWN)).to.equal(version);
    });
  }

  it('stays what it is where it is not unique, not there, or no number', () => {
    for (const given of ['3', '2', '1_accounts', 'accounts', '']) expect(namedVersion(given, KNOWN)).to.equal(given);
  });
});

describe('a version that is not there', () => {
  const table: [given: string, guess: string][] = [
    ['3', 'did you mean 003_orders or 003_bonus?'],
    ['003_ordres', 'did you mean 003_orders?'],
    ['3_x', 'did you mean 003_orders or 003_bonus?'],
    ['002', 'did you mean 001_accounts or 003_bonus?'],
    ['0', 'did you mean 001_accounts?'],
    ['005_note', 'did you mean 004_notes?'],
    ['20250101', 'did you mean 20240101?'],
  ];
  for (const [given, guess] of table) {
    it(`${given}: ${guess}`, () => {
      expect(versionGuess(given, KNOWN)).to.equal(guess);
    });
  }

  it('has no guess where nothing is known', () => {
    expect(versionGuess('1', [])).to.equal(undefined);
    expect(versionGuess('something else', KNOWN)).to.equal(undefined);
  });
});
