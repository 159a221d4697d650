/** The rule about changed types finds what the server rewrites, and nothing else. */
import { expect } from 'chai';

import { onGround, prepareGround } from '../support/rule-ground.ts';
import { rulesIn } from '../support/rules.ts';
import { ownServer } from '../support/server.ts';

const CHANGES = [
  ['varchar(20)', 'varchar(40)'],
  ['varchar(20)', 'varchar(20)'],
  ['varchar(20)', 'varchar(10)'],
  ['varchar(20)', 'varchar'],
  ['varchar(20)', 'text'],
  ['varchar', 'varchar(20)'],
  ['text', 'varchar'],
  ['text', 'varchar(20)'],
  ['char(5)', 'text'],
  ['char(5)', 'char(9)'],
  ['varbit(5)', 'varbit(9)'],
  ['varbit(9)', 'varbit(5)'],
  ['numeric(5, 2)', 'numeric(9, 2)'],
  ['numeric(5, 2)', 'numeric'],
  ['numeric(5, 2)', 'numeric(9, 3)'],
  ['numeric(5, 2)', 'numeric(4, 2)'],
  ['numeric', 'numeric(9, 2)'],
  ['timestamp(3)', 'timestamp(6)'],
  ['timestamp(3)', 'timestamp'],
  ['timestamp', 'timestamp(6)'],
  ['timestamp(6)', 'timestamp(3)'],
  ['timestamptz(0)', 'timestamptz(3)'],
  ['time(0)', 'time(3)'],
  ['interval(3)', 'interval(6)'],
  ['interval(3)', 'interval'],
  ['interval(6)', 'interval(3)'],
  ['cidr', 'inet'],
  ['inet', 'cidr'],
  ['int', 'bigint'],
  ['bigint', 'int'],
  ['int', 'text'],
  ['varchar(20)[]', 'text[]'],
  ['date', 'timestamp'],
  ['json', 'jsonb'],
] as const;

describe('changes of a type', () => {
  let ground: { serverUrl: string; template: string };

  before('start a server', async () => {
    const { url } = await ownServer();
    ground = { serverUrl: url, template: await prepareGround(url) };
  });

  it('rewrite a table exactly where the rule says so', async () => {
    await onGround(ground, async (trial) => {
      for (const [from, to] of CHANGES) {
        const table = `CREATE TABLE changed (a ${from});`;
        const change = `ALTER TABLE changed ALTER a TYPE ${to} USING a::${to};`;
        await trial.query(`DROP TABLE IF EXISTS changed; ${table} INSERT INTO changed VALUES (NULL)`);
        const rewrites = (await trial.run(change)).get('changed')!.rewrites;
        expect((await rulesIn([table, change])).includes('change-column-type'), `${from} to ${to}`).to.equal(rewrites);
      }
    });
  });
});
