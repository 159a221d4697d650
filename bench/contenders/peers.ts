// Answers: beside whom is Lockstep measured?
import type { Contender } from './contender.ts';
import { dbmate } from './dbmate.ts';
import { drizzleKit, drizzleOrm } from './drizzle.ts';
import { goPrograms } from './go-programs.ts';
import { graphileMigrate } from './graphile-migrate.ts';
import { knex } from './knex.ts';
import { nodePgMigrate } from './node-pg-migrate.ts';
import { postgrator } from './postgrator.ts';
import { umzug } from './umzug.ts';

export const peers: readonly Contender[] = [
  dbmate,
  umzug,
  drizzleOrm,
  postgrator,
  knex,
  nodePgMigrate,
  graphileMigrate,
  drizzleKit,
  ...goPrograms,
];
