import { expect } from 'chai';

import { foreignTool } from '../../src/core/import/foreign-table.ts';

/** Tables as the tools create them. */
const TABLE: readonly (readonly [string, string | undefined])[] = [
  ['version applied_at', undefined],
  ['version applied_at checksum', undefined],
  ['version applied_at checksum of_a_newer_lockstep', undefined],
  ['version dirty', 'golang-migrate'],
  ['id version_id is_applied tstamp', 'goose'],
  [
    'installed_rank version description type script checksum installed_by installed_on execution_time success',
    'Flyway',
  ],
  ['id checksum finished_at migration_name logs rolled_back_at started_at applied_steps_count', 'Prisma'],
  ['id name run_on', 'node-pg-migrate'],
  ['id name batch migration_time', 'Knex'],
  [
    'id author filename dateexecuted orderexecuted exectype md5sum description comments tag liquibase contexts labels deployment_id',
    'Liquibase',
  ],
  ['id hash created_at', 'Drizzle'],
  ['id app name applied', 'Django'],
  ['version inserted_at', 'Ecto'],
  ['version', 'dbmate or Rails'],
  ['version note', 'another program'],
  ['id', 'another program'],
  ['', 'another program'],
];

describe('foreignTool', () => {
  for (const [columns, tool] of TABLE) {
    it(`${columns === '' ? 'no columns' : columns}: ${tool ?? 'ours'}`, () => {
      expect(foreignTool(columns.split(' ').filter(Boolean))).to.equal(tool);
    });
  }
});
