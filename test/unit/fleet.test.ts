import { expect } from 'chai';

import { ERRORS, MigratorError, type ErrorCode } from '../../src/core/errors.ts';
import { fleetError, gravest, problemOf, type TargetReport } from '../../src/core/fleet.ts';
import type { JournalEntry } from '../../src/core/history.ts';
import type { VersionState, VersionStatus } from '../../src/core/plan/plan.ts';
import { fleetDocument, formatFleet } from '../../src/output/fleet.ts';
import { violations } from '../support/json-documents.ts';

const AT = new Date('2026-01-02T03:04:05.000Z');

function rows(...states: VersionState[]): VersionStatus[] {
  return states.map((state, index) => ({
    version: `00${index + 1}_x`,
    state,
    ...(state === 'applied' && { appliedAt: AT }),
  }));
}

const failed: JournalEntry = {
  id: '7',
  at: AT,
  run: 'r',
  event: 'failed',
  version: '002_x',
  code: 'MIGRATION_FAILED',
  error: '002_x.up.sql failed: type "inte" does not exist (42704)',
};
const holder = { pid: 7, applicationName: 'lockstep up 0.1.0 shop-3 (eu-1)', since: AT, doing: 'up 002_x' };
const refused = new MigratorError('ACCESS_REFUSED', 'the server refuses the password', {
  server: { sqlstate: '28P01', message: 'password authentication failed for user "shop"' },
});

const DONE: TargetReport = { target: 'eu-1', seen: { rows: rows('applied', 'applied') } };
const PENDING: TargetReport = { target: 'eu-2', seen: { rows: rows('applied', 'pending', 'held') } };
const FAILED: TargetReport = { target: 'us-1', seen: { rows: rows('applied', 'pending'), failed } };
const REFUSED: TargetReport = { target: 'us-2', error: refused };
const IN_PART: TargetReport = { target: 'us-3', seen: { rows: rows('applied', 'in part') } };
const REFUSES: TargetReport = {
  target: 'us-5',
  seen: { rows: rows('changed', 'pending'), failed },
  error: new MigratorError('HISTORY_CONFLICT', 'files and history disagree', { problems: ['changed: 001_x'] }),
};
const AT_WORK: TargetReport = { target: 'us-4', seen: { rows: rows('applied', 'in part'), holder } };

describe('the state of a fleet', () => {
  const table: [title: string, report: TargetReport, problem: ErrorCode | undefined][] = [
    ['nothing pending', DONE, undefined],
    ['pending and held', PENDING, 'PENDING'],
    ['a failed version that is still pending', FAILED, 'MIGRATION_FAILED'],
    ['an old failure of a version that has gone', { ...DONE, seen: { ...DONE.seen!, failed } }, undefined],
    ['not to be read', REFUSED, 'ACCESS_REFUSED'],
    ['stopped half-way', IN_PART, 'MIGRATION_INCOMPLETE'],
    ['pending, and refused by every run, whatever failed before', REFUSES, 'HISTORY_CONFLICT'],
    [
      'stopped half-way by a failure',
      { ...IN_PART, seen: { ...IN_PART.seen!, failed: { ...failed, code: 'MIGRATION_FAILED' } } },
      'MIGRATION_FAILED',
    ],
    ['half-way, and somebody is at work', AT_WORK, 'PENDING'],
  ];
  for (const [title, report, problem] of table) {
    it(`of a target: ${title}`, () => {
      expect(problemOf(report)).to.equal(problem);
    });
  }

  it('ends with the gravest code', () => {
    const exits = (Object.keys(ERRORS) as ErrorCode[])
      .toSorted((a, b) => (gravest([a, b]) === a ? -1 : 1))
      .map((code) => ERRORS[code].exit);
    expect(exits).to.deep.equal([143, 41, 40, 42, 20, 21, 22, 23, 24, 25, 1, 34, 35, 30, 31, 32, 33]);
    expect(gravest([])).to.equal(undefined);
  });

  it('is no error when every target is up to date', () => {
    expect(fleetError([DONE, DONE])).to.equal(undefined);
  });

  it('names the first ten targets, those that decide the exit code first', () => {
    const many = Array.from({ length: 12 }, (_, index) => ({ ...PENDING, target: `p${index}` }));
    const error = fleetError([DONE, ...many, FAILED])!;
    expect(error).to.include({ code: 'MIGRATION_FAILED', summary: '13 of 14 targets are not up to date' });
    expect(error.details.problems).to.have.length(11);
    expect(error.details.problems![0]).to.equal('us-1: MIGRATION_FAILED (exit 40), SQLSTATE 42704');
    expect(error.details.problems!.slice(1, 3)).to.deep.equal(['p0: 2 pending', 'p1: 2 pending']);
    expect(error.details.problems!.at(-1)).to.equal('and 3 more');
  });

  const ALL = [DONE, PENDING, FAILED, REFUSED, AT_WORK];

  it('is a table with a row for each target', () => {
    expect(formatFleet(ALL).split('\n')).to.deep.equal([
      `TARGET  VERSION  PENDING  HELD  FAILED${' '.repeat(63)}AT WORK`,
      'eu-1    002_x',
      'eu-2    001_x    1        1',
      'us-1    001_x    1              002_x MIGRATION_FAILED 42704',
      `us-2${' '.repeat(28)}ACCESS_REFUSED 28P01 password authentication failed for user "shop"`,
      `us-4    001_x    1${' '.repeat(83)}"lockstep up 0.1.0 shop-3 (eu-1)" (pid 7) since ${AT.toISOString()} running up 002_x`,
      '',
      '5 targets: 1 up to date, 2 PENDING, 1 MIGRATION_FAILED, 1 ACCESS_REFUSED',
    ]);
  });

  it('says of a target that a run would refuse what is pending, and why', () => {
    expect(formatFleet([REFUSES]).split('\n')[1]).to.equal('us-5    001_x    1        HISTORY_CONFLICT changed: 001_x');
    const document = fleetDocument([REFUSES], fleetError([REFUSES]));
    expect(violations('fleet', JSON.parse(JSON.stringify(document)))).to.deep.equal([]);
    expect(document).to.deep.include({ exit: 22 });
    expect(document.targets[0]).to.deep.include({ version: '001_x', pending: ['002_x'] });
    expect(document.targets[0]!.error).to.include({ code: 'HISTORY_CONFLICT' });
  });

  it('is a document that matches its schema', () => {
    const document = fleetDocument(ALL, fleetError(ALL));
    expect(violations('fleet', JSON.parse(JSON.stringify(document)))).to.deep.equal([]);
    expect(document).to.deep.include({ command: 'fleet', exit: 40, upToDate: false });
    expect(document.targets.map(({ target, upToDate }) => [target, upToDate])).to.deep.equal(
      ALL.map(({ target }) => [target, target === 'eu-1']),
    );
    expect(document.targets[2]!.failed).to.include({ version: '002_x', code: 'MIGRATION_FAILED', sqlstate: '42704' });
    expect(document.targets[3]!.error).to.include({ code: 'ACCESS_REFUSED', sqlstate: '28P01' });
    expect(document.targets[4]!.inPart).to.deep.equal(['002_x']);
  });
});
