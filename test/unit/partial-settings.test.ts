import { expect } from 'chai';

import { readPartialSettings } from '../../src/cli/partial-settings.ts';

const ENV = {
  LOCKSTEP_LOG_FORMAT: 'text',
  LOCKSTEP_TERMINATION_LOG: '/from-env',
  LOCKSTEP_JOB: 'shop-migrate',
  LOCKSTEP_EVENTS: 'on',
};

describe('readPartialSettings: settings for the report of invalid settings', () => {
  it('reads the environment', () => {
    const { command, json, config } = readPartialSettings(['up', '--lock-wiat', '5m'], ENV, { terminal: false });
    expect({ command, json }).to.deep.equal({ command: 'up', json: false });
    expect(config.log).to.deep.equal({ format: 'text', level: 'info', color: 'auto' });
    expect(config.terminationLog).to.equal('/from-env');
    expect(config.events).to.include({ mode: 'on', job: 'shop-migrate', initContainer: false });
  });

  it('a flag overrides a variable, in both spellings', () => {
    const { json, config } = readPartialSettings(
      ['up', 'nonsense', '--termination-log', '/a', '--log-format=json', '--json', '--init-container', '--pod', 'p'],
      ENV,
      { terminal: true },
    );
    expect(json).to.equal(true);
    expect(config).to.deep.include({ terminationLog: '/a', identity: { pod: 'p' } });
    expect(config.log.format).to.equal('json');
    expect(config.events?.initContainer).to.equal(true);
    expect(
      readPartialSettings(['up', '--no-init-container'], { LOCKSTEP_INIT_CONTAINER: '1' }, { terminal: true }).config
        .events?.initContainer,
    ).to.equal(false);
  });

  it('an invalid value counts as unset', () => {
    const env = { LOCKSTEP_LOG_FORMAT: 'yaml', LOCKSTEP_EVENTS: 'perhaps', LOCKSTEP_LOG_LEVEL: 'loud' };
    const { config } = readPartialSettings(['down', '--log-format'], env, { terminal: true });
    expect(config.log).to.deep.equal({ format: 'text', level: 'info', color: 'auto' });
    expect(config.events?.mode).to.equal('auto');
  });

  it('without a command, the log and the termination message are on and Events are off', () => {
    const { command, config } = readPartialSettings(['upp'], ENV, { terminal: false });
    expect(command).to.equal(undefined);
    expect(config).to.deep.include({ terminationLog: '/from-env' }).and.not.have.property('events');
    expect(readPartialSettings([], {}, { terminal: false }).config.log.format).to.equal('json');
    const misplaced = readPartialSettings(['--json', 'up', '--log-format=text'], {}, { terminal: false });
    expect(misplaced).to.include({ command: undefined, json: true });
    expect(misplaced.config.log.format).to.equal('text');
  });
});
