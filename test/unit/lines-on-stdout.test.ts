import { expect } from 'chai';

import type { MigratorEvent } from '../../src/core/events.ts';
import { linesOnStdout } from '../../src/output/lines-on-stdout.ts';

describe('linesOnStdout', () => {
  function print(events: readonly MigratorEvent[], verbose = false): string {
    return events
      .flatMap((event) => linesOnStdout(event, verbose))
      .map((line) => `${line}\n`)
      .join('');
  }

  it('prints the lines that scripts grep for', () => {
    const events: MigratorEvent[] = [
      { type: 'migration.skipped', version: '1_a', direction: 'up' },
      { type: 'migration.started', version: '2_b', direction: 'up' },
      { type: 'migration.applied', version: '2_b', durationMs: 1 },
      { type: 'migration.skipped', version: '3_c', direction: 'down' },
      { type: 'migration.rolled-back', version: '2_b', durationMs: 1 },
      { type: 'migration.baselined', version: '4_d' },
      { type: 'run.finished', applied: [], durationMs: 1 },
    ];
    expect(print(events)).to.equal(
      '  skip 1_a (already applied)\n  up 2_b\n  skip 3_c (not applied)\n  down 2_b\n  baseline 4_d\nDone.\n',
    );
  });

  it('lets no file name control the terminal or start a line', () => {
    expect(print([{ type: 'migration.applied', version: '1_\u001b[2J\n  up 2_b', durationMs: 1 }])).to.equal(
      '  up 1_?[2J up 2_b\n',
    );
  });

  it('prints a count when everything is skipped, unless verbose', () => {
    const event: MigratorEvent = { type: 'migration.all-skipped', versions: ['1_a', '2_b'], direction: 'up' };
    expect(print([event])).to.equal('  skip 2 migrations (already applied)\n');
    expect(print([event], true)).to.equal('  skip 1_a (already applied)\n  skip 2_b (already applied)\n');
    expect(print([{ ...event, versions: ['1_a'], direction: 'down' }])).to.equal('  skip 1 migration (not applied)\n');
  });
});
