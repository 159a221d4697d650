import { expect } from 'chai';

import { applicationName, describeHolder, onlyAddsToHistory, runnerName, type Holder } from '../../src/core/runner.ts';
import { runner } from '../support/fakes/run.ts';

describe('applicationName', () => {
  it('contains command, version and runner', () => {
    expect(applicationName(runner('up', 'shop-7d9f'))).to.equal('lockstep up 1.0.0 shop-7d9f');
  });

  it('contains the target of a fleet, as the journal does', () => {
    const one = { ...runner('up', 'shop-3-x7d9f'), target: 'eu-1' };
    expect(applicationName(one)).to.equal('lockstep up 1.0.0 shop-3-x7d9f (eu-1)');
    expect(applicationName({ ...one, target: undefined, name: runnerName(one) })).to.equal(applicationName(one));
  });

  it('is cut after 63 bytes, as by the server', () => {
    const name = applicationName(runner('baseline', 'p'.repeat(100)));
    expect(name).to.have.length(63);
    expect(name.startsWith('lockstep baseline 1.0.0 ppp')).to.equal(true);
  });

  it('contains only characters that the server keeps', () => {
    expect(applicationName(runner('up', 'é😀\n\tx'))).to.equal('lockstep up 1.0.0 ????x');
  });
});

describe('onlyAddsToHistory', () => {
  const table: [string, boolean][] = [
    ['lockstep up 1.0.0 pod', true],
    ['lockstep up 2.0.0 pod', true],
    ['lockstep down 1.0.0 pod', false],
    ['lockstep baseline 1.0.0 pod', false],
    ['lockstep upgrade 1.0.0 pod', false],
    ['my lockstep up 1.0.0', false],
    ['golang-migrate', false],
    ['', false],
  ];
  for (const [applicationName, only] of table) {
    it(`${JSON.stringify(applicationName)}: ${only}`, () => {
      expect(onlyAddsToHistory({ pid: 1, applicationName })).to.equal(only);
    });
  }
});

describe('describeHolder', () => {
  const since = new Date('2026-01-02T03:04:05.000Z');
  const table: [Holder, string][] = [
    [{ pid: 7, applicationName: '' }, 'a session without a name (pid 7)'],
    [{ pid: 7, applicationName: 'psql' }, '"psql" (pid 7)'],
    [{ pid: 7, applicationName: 'psql', since: undefined, doing: undefined }, '"psql" (pid 7)'],
    [
      { pid: 7, applicationName: 'x', since, doing: 'up 1_a' },
      '"x" (pid 7) since 2026-01-02T03:04:05.000Z running up 1_a',
    ],
  ];
  for (const [holder, text] of table) {
    it(text, () => {
      expect(describeHolder(holder)).to.equal(text);
    });
  }
});
