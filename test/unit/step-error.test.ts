import { expect } from 'chai';

import { journalInsert } from '../../src/adapters/postgres/tables/journal-entries.ts';
import { Message } from '../../src/adapters/postgres/wire/message.ts';
import { stepError } from '../../src/adapters/postgres/execute/step-error.ts';
import { MigratorError, type ServerError } from '../../src/core/errors.ts';
import type { StepScript } from '../../src/core/ports.ts';

/** The driver error of a file that is sent whole; `at` is the position that the server reports. */
function failed(text: string, server: Partial<ServerError>, at?: string): MigratorError {
  const directives = { noTransaction: false, irreversible: false };
  const script = { file: '1_a.up.sql', text, checksum: '', directives };
  const step: StepScript = { version: '1_a', direction: 'up', script, migration: { version: '1_a', up: script } };
  const message = new Message().add('BEGIN').addSource({ sql: text, offset: 0, blocking: true, relations: [] });
  const position = at === undefined ? {} : { position: String(message.text.indexOf(at) + 1) };
  const words = { sqlstate: '42601', message: '', ...server };
  const cause = Object.assign(new Error(words.message), position);
  const relation = {
    schema: 's',
    name: 't',
    recordedKey: '1',
    key: '1',
    table: 's.t',
    journal: 's.t_journal',
    oid: '1',
    journalOid: '2',
    exists: true,
    complete: true,
    hasJournal: true,
    lacksIndexes: false,
  };
  return stepError(new MigratorError('INTERNAL', words.message, { server: words, cause }), step, { message, relation });
}

describe("a step's error", () => {
  const secret = "ALTER ROLE r PASSWORD '' 'hunter2'";

  it('quotes nothing after the word PASSWORD in a syntax error, in any language', () => {
    for (const message of [
      `syntax error at or near "'hunter2'"`,
      `Syntaxfehler bei »'hunter2'«`,
      `"'hunter2'"またはその近辺で構文エラー`,
    ]) {
      const error = failed(secret, { message, where: `at "'hunter2'"` }, "'hunter2'");
      expect(JSON.stringify(error.details.server)).to.not.include('hunter2');
      expect(error.details.location).to.include({ line: 1, column: 26 });
    }
  });

  it('treats the whole file as preceding text when the server reports no position', () => {
    expect(
      failed(`DO $$ … $$; ${secret}`, { message: `syntax error at or near "'hunter2'"` }).details.server!.message,
    ).to.equal('syntax error at or near …');
  });

  it("keeps the server's message when no password precedes the position, and for every other kind of error", () => {
    const words = 'syntax error at or near "SELEC"';
    expect(failed(`SELEC 1; ${secret}`, { message: words }, 'SELEC').details.server!.message).to.equal(words);
    const role = 'role "r" does not exist';
    expect(failed(secret, { sqlstate: '42704', message: role }).details.server!.message).to.equal(role);
  });

  it('puts no password into the journal', () => {
    const error = failed(
      "SELECT 'postgres://app:hunter2@db/shop'::regrole",
      {
        sqlstate: '42704',
        message: 'role "postgres://app:hunter2@db/shop" does not exist',
      },
      "'postgres",
    );
    const runner = { run: 'r', command: 'up', productVersion: '0', name: 'pod' } as const;
    const sql = journalInsert('s.t_journal', runner, { event: 'failed', error });
    expect(sql).to.include('1_a.up.sql failed: role ').and.to.include('postgres://app:***@db/shop');
    expect(sql.includes('hunter2')).to.equal(false);
  });
});
