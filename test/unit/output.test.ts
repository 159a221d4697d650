import { expect } from 'chai';

import { errorFields } from '../../src/output/log/fields.ts';
import { ERRORS, MigratorError, toMigratorError } from '../../src/core/errors.ts';
import type { JournalEntry } from '../../src/core/history.ts';
import type { HeldVersion } from '../../src/core/plan/held-versions.ts';
import type { DryRunStep, FindingOnServer, Outcome } from '../../src/core/outcome.ts';
import type { LockReport, ValidateReport } from '../../src/core/reports.ts';
import * as catalogDocuments from '../../src/output/catalog-documents.ts';
import * as documents from '../../src/output/documents.ts';
import { formatDryRun } from '../../src/output/dry-run.ts';
import { fleetDocument } from '../../src/output/fleet.ts';
import { schemasDocument, tenantsDocument } from '../../src/output/tenants.ts';
import { formatError } from '../../src/output/error-text.ts';
import * as reports from '../../src/output/reports.ts';
import { terminationMessage, type Ending } from '../../src/output/termination-message.ts';
import { SCHEMAS, violations } from '../support/json-documents.ts';

const at = new Date('2024-05-06T07:08:09Z');

const failure = new MigratorError('MIGRATION_FAILED', '007_x failed; it was rolled back', {
  version: '007_x',
  location: { file: '007_x.up.sql', line: 3, column: 14, text: '  ALTER TABLE nope ADD x int' },
  server: { sqlstate: '42P01', message: 'relation "nope" does not exist', detail: 'row secret', hint: 'look\nbetter' },
  hint: 'correct the file',
});

describe('formatError', () => {
  it('states what failed, why, and what to do next', () => {
    expect(formatError(failure).split('\n')).to.deep.equal([
      'error: 007_x failed; it was rolled back (MIGRATION_FAILED)',
      '       007_x.up.sql:3:14',
      '         ALTER TABLE nope ADD x int',
      '                    ^',
      'why:   relation "nope" does not exist (SQLSTATE 42P01)',
      '       detail: row secret',
      '       hint: look',
      '       better',
      'next:  correct the file',
    ]);
  });

  it('prints each problem on its own line', () => {
    const error = new MigratorError('CONFIG_INVALID', '2 settings are wrong', { problems: ['--to: a', '--dir: b'] });
    expect(formatError(error)).to.equal(
      'error: 2 settings are wrong (CONFIG_INVALID)\nwhy:   --to: a\n       --dir: b\nnext:  correct this, then run the command again',
    );
  });

  it('has all three parts for every code', () => {
    for (const code of Object.keys(ERRORS) as (keyof typeof ERRORS)[]) {
      expect(formatError(new MigratorError(code, 'x'))).to.match(/^error: x \(\w+\)\nwhy: {3}\S.*\nnext: {2}\S/);
    }
  });

  it('shows the message of a bug and leaves its stack to the log', () => {
    const bug = toMigratorError(new TypeError('boom'));
    expect(formatError(bug)).to.match(
      /^error: unexpected error: boom \(INTERNAL\)\nwhy: {3}TypeError: boom\nnext: {2}.*--log-format=json/,
    );
    expect(formatError(bug)).to.not.include('output.test.ts');
    expect(errorFields(bug)['stack']).to.match(/^TypeError: boom\n.*output\.test\.ts/);
  });

  it('shows no secret and no control characters', () => {
    const error = new MigratorError('HOOK_FAILED', "postgres://u:hunter2@h/d PASSWORD 'hunter2' \u001b[2J");
    expect(formatError(error)).to.not.match(/hunter2|\u001b/);
  });
});

const entry: JournalEntry = {
  ...{ id: '1', at, run: 'r', event: 'failed', command: 'up', version: '007_x', direction: 'up', durationMs: 12 },
  ...{ error: 'MIGRATION_FAILED: two\nlines', runner: 'pod-a', release: 'shop@1', image: 'i', checksum: 'c' },
};
const holder = { pid: 1, applicationName: 'lockstep up 0.1.0 pod-a', since: at, doing: 'up 007_x' };
const lock: LockReport = {
  key: '42',
  holder,
  waiters: [{ pid: 2, applicationName: '', blocked: true }],
  terminated: true,
};
const validation: ValidateReport = {
  migrations: 2,
  findings: [
    { severity: 'error', rule: 'syntax', message: 'wrong', file: '1_a.up.sql', line: 2, column: 3, fingerprint: 'a' },
    { severity: 'warning', rule: 'numbers', message: 'the same number twice', fingerprint: 'b' },
  ],
};

describe('reports', () => {
  it('status', () => {
    const rows = [
      { version: '1_a', state: 'applied', appliedAt: at },
      { version: '10_b', state: 'pending' },
    ] as const;
    expect(reports.formatStatus(rows)).to.equal(
      'VERSION  STATE    APPLIED AT\n1_a      applied  2024-05-06T07:08:09.000Z\n10_b     pending\n\n1 applied, 1 pending',
    );
    expect(
      reports.formatStatus([
        { version: '1_a', state: 'in part', inPart: { version: '1_a', direction: 'up', done: ['c'] } },
      ]),
    ).to.equal(
      'VERSION  STATE\n1_a      in part\n\nin part: 1_a is applied in part: of its up file statement 1 is done; unless a runner is working on it: ' +
        'finish 1_a with "lockstep up" with its file, or undo its finished statements by hand and run "lockstep repair --only 1_a --reset"\n1 in part',
    );
    expect(reports.formatStatus([])).to.equal('no migrations');
  });

  it('history', () => {
    const rows: JournalEntry[] = [
      { id: '1', at, run: 'r', event: 'run started', command: 'up', runner: 'pod-a' },
      entry,
    ];
    expect(reports.formatHistory(rows).split('\n')).to.deep.equal([
      'TIME                      EVENT        VERSION  TOOK   RUNNER  RELEASE  ERROR',
      '2024-05-06T07:08:09.000Z  run started  up              pod-a',
      '2024-05-06T07:08:09.000Z  failed       007_x    12 ms  pod-a   shop@1   MIGRATION_FAILED: two lines',
    ]);
    expect(reports.formatHistory([])).to.equal('the journal is empty');
  });

  it('lock', () => {
    expect(reports.formatLock(lock)).to.equal(
      'lock 42: held by "lockstep up 0.1.0 pod-a" (pid 1) since 2024-05-06T07:08:09.000Z running up 007_x\n' +
        "  waiting: a session without a name (pid 2), blocked inside PostgreSQL\nterminated the holder's session",
    );
    expect(reports.formatLock({ key: '42', holder: undefined, waiters: [] })).to.equal('lock 42: nobody holds it');
  });

  it('validate', () => {
    expect(reports.formatValidation(validation)).to.equal(
      '1_a.up.sql:2:3: error: wrong [syntax]\nwarning: the same number twice [numbers]\n2 migrations, 1 error, 1 warning',
    );
  });

  it('dry run', () => {
    const table = { kind: 'table', name: 'b', rows: 1200 } as const;
    const losses = [
      table,
      { kind: 'column', name: 'app.c', column: 'd', rows: 1 },
      { kind: 'rows', name: 'e' },
      { kind: 'schema', name: 's' },
    ] as const;
    const others = [
      { kind: 'database', name: 'd' },
      { kind: 'dependents', name: 'type mood' },
      { kind: 'unknown', name: 'a DO block' },
    ] as const;
    const steps: DryRunStep[] = [
      {
        version: '2_b',
        direction: 'down',
        source: 'stored',
        sql: "DROP TABLE b;\nALTER ROLE r PASSWORD 'hunter2';\n",
        losses: [...losses, ...others],
      },
      { version: '1_a', direction: 'up', source: 'file', sql: 'SELECT 1', losses: [], findings: [FOUND_ON_SERVER] },
    ];
    expect(formatDryRun(steps).split('\n')).to.deep.equal([
      'Dry run: nothing was changed.',
      '  would roll back 2_b, with the down SQL stored when it was applied',
      '    destroys table b (about 1200 rows)',
      '    destroys column d of app.c (about 1 row)',
      '    destroys all rows of e',
      '    destroys schema s, with everything in it',
      '    destroys database d',
      '    destroys whatever depends on type mood',
      '    destroys unknown: contains a DO block',
      '      DROP TABLE b;',
      "      ALTER ROLE r PASSWORD '***';",
      '  would apply 1_a',
      '    warning in line 1: a: b [drop-table]',
      '      table public.a: 1.5 GB, about 5000 rows, in use by "app" (pid 1) active',
      '      table public.b: 8 kB, about 1 row',
      '      SELECT 1',
    ]);
    expect(formatDryRun([])).to.equal('Dry run: nothing was changed.\n  nothing to do');
  });
});

const hold: HeldVersion = {
  version: '1_a',
  at,
  by: 'rb-1',
  release: 'shop/8@2',
  reason: 'it is slow',
  releases: ['shop/7@2'],
  appliedBy: 'shop/7@2',
};

const outcome: Outcome = {
  ...{
    command: 'up',
    done: [{ version: '1_a', direction: 'up', durationMs: 1.5 }],
    notRun: ['3_c'],
    skipped: [],
    pending: ['2_b', '3_c'],
  },
  ...{ warnings: ['w'], dryRun: false, waitedMs: 0, durationMs: 2, failedVersion: '2_b' },
};

/** Outcomes, from minimal to complete. */
const ENDINGS: readonly Ending[] = [
  { durationMs: 0 },
  { command: 'up', outcome: { ...outcome, dryRun: true }, durationMs: 1.5 },
  { command: 'up', outcome, error: failure.with({ holder }), durationMs: 2 },
  {
    command: 'down',
    outcome: { ...outcome, done: [{ version: '1_a', direction: 'down', durationMs: 1 }] },
    durationMs: 2,
  },
  { error: new MigratorError('CONFIG_INVALID', 'x', { problems: ['a', 'b'], hint: 'c' }), durationMs: 0 },
  ...(Object.keys(ERRORS) as (keyof typeof ERRORS)[]).map((code) => ({
    error: new MigratorError(code, 'x'),
    durationMs: 0,
  })),
];

const FOUND_ON_SERVER: FindingOnServer = {
  ...{ severity: 'warning', rule: 'drop-table', message: 'a: b', blocks: 'a', instead: 'b', line: 1, column: 1 },
  tables: [
    {
      schema: 'public',
      name: 'a',
      rows: 5_000,
      bytes: 1_610_612_736,
      usedBy: [{ pid: 1, applicationName: 'app', state: 'active' }],
    },
    { schema: 'public', name: 'b', rows: 1, bytes: 8_192, usedBy: [] },
  ],
};

/** The largest and smallest documents, by schema name. */
const DOCUMENTS: Readonly<Record<string, readonly object[]>> = {
  outcome: [
    documents.outcomeDocument(outcome, failure.with({ holder })),
    documents.outcomeDocument({
      ...{ ...outcome, dryRun: true },
      wouldRun: [
        {
          version: '1_a',
          direction: 'down',
          source: 'stored',
          sql: 'DROP TABLE a',
          statements: [{ sql: 'DROP TABLE a', done: true }],
          losses: [
            { kind: 'table', name: 'a', rows: 3 },
            { kind: 'column', name: 'b', column: 'c' },
            { kind: 'some rows', name: 'a' },
            { kind: 'values', name: 'a', column: 'c' },
            { kind: 'owned', name: 'r' },
          ],
          findings: [FOUND_ON_SERVER],
        },
      ],
    }),
    documents.outcomeDocument({
      command: 'wait',
      done: [],
      notRun: [],
      skipped: [],
      pending: [],
      warnings: [],
      dryRun: true,
      waitedMs: 0,
      durationMs: 0,
    }),
  ],
  error: [
    documents.errorDocument(failure, 'up'),
    documents.errorDocument(new MigratorError('CONFIG_INVALID', 'x', { problems: ['a'] })),
    ...(Object.keys(ERRORS) as (keyof typeof ERRORS)[]).map((code) =>
      documents.errorDocument(new MigratorError(code, 'x')),
    ),
  ],
  schemas: [
    schemasDocument('status', [{ target: 'a', seen: { rows: [{ version: '1_a', state: 'pending' }] } }], failure),
    schemasDocument('wait', []),
  ],
  tenants: [
    tenantsDocument({
      direction: 'up',
      dryRun: false,
      durationMs: 1,
      error: failure,
      results: [
        { schema: 'a', state: 'failed', outcome, error: failure },
        { schema: 'b', state: 'not run' },
      ],
    }),
    tenantsDocument({
      direction: 'down',
      dryRun: true,
      durationMs: 1,
      results: [{ schema: 'a', state: 'done', outcome: { ...outcome, wouldRun: [] } }],
    }),
  ],
  fleet: [fleetDocument([{ target: 'eu-1', error: failure }], failure), fleetDocument([])],
  status: [
    documents.statusDocument([]),
    documents.statusDocument([
      {
        version: '1_a',
        state: 'in part',
        inPart: { version: '1_a', direction: 'up', done: [], started: { statement: 1, checksum: 'c' } },
      },
      { version: '2_b', state: 'in part', inPart: { version: '2_b', direction: 'down', done: ['c'] } },
    ]),
    documents.statusDocument([
      { version: '1_a', state: 'held', hold },
      { version: '2_b', state: 'held', hold: { ...hold, release: undefined, reason: undefined } },
    ]),
    documents.statusDocument(
      (['applied', 'pending', 'unknown', 'changed', 'out of order'] as const).map((state) => ({
        version: '1_a',
        state,
        appliedAt: at,
      })),
    ),
  ],
  history: [
    documents.historyDocument([]),
    documents.historyDocument([
      entry,
      { id: '2', at, run: 'r', event: 'failed', code: 'MIGRATION_FAILED', statement: 1 },
      {
        id: '3',
        at,
        run: 'r',
        event: 'rolled back',
        hold: { releases: ['a'], appliedBy: 'a', upChecksum: 'c', reason: 'r' },
      },
      { id: '4', at, run: 'r', event: 'hold ended', hold: { reason: 'new release' } },
    ]),
  ],
  lock: [documents.lockDocument(lock), documents.lockDocument({ key: '42', holder: undefined, waiters: [] })],
  convert: [
    documents.convertDocument({ dryRun: true, files: [], warnings: [] }),
    documents.convertDocument({ dryRun: false, files: ['1_a.up.sql'], warnings: ['x'] }),
  ],
  repair: [
    documents.repairDocument({ dryRun: true, steps: [], left: [] }),
    documents.repairDocument({
      dryRun: false,
      steps: [{ version: '1_a', action: 'x', diff: ['- a'] }],
      left: ['y'],
      error: failure,
    }),
  ],
  drift: [
    catalogDocuments.driftDocument({
      servers: { kept: 17, found: 18 },
      pending: ['2_b'],
      unknown: [],
      unseen: ['function'],
      differences: [],
    }),
    catalogDocuments.driftDocument({
      servers: { kept: 18, found: 18 },
      pending: [],
      unknown: ['1_a'],
      unseen: [],
      differences: [
        { object: 'table a', change: 'different', property: 'owner', expected: 'x', found: 'y', note: true },
      ],
      error: failure,
    }),
  ],
  prove: [
    catalogDocuments.proveDocument({
      versions: [
        {
          version: '1_a',
          way: 'different',
          differences: [{ file: '1_a.down.sql', object: 'table a', change: 'missing' }],
          rewritten: [],
          durationMs: 1,
        },
        {
          version: '2_b',
          way: 'failed',
          differences: [],
          failure: { file: '2_b.down.sql', summary: 'x' },
          rewritten: [],
          durationMs: 1,
        },
      ],
      kept: [{ object: 'table a', change: 'foreign' }],
      wrote: 'schema.txt',
      error: failure,
    }),
    catalogDocuments.proveDocument({ versions: [] }),
  ],
  validate: [documents.validateDocument(validation), documents.validateDocument({ migrations: 0, findings: [] })],
  termination: ENDINGS.map((ending) => JSON.parse(terminationMessage(ending)) as object),
};

describe('documents', () => {
  it('contain the next step for every code, in the same words as the text', () => {
    for (const code of Object.keys(ERRORS) as (keyof typeof ERRORS)[]) {
      const error = new MigratorError(code, 'x');
      const { next } = documents.errorDocument(error).error;
      expect(next).to.be.a('string').and.not.equal('');
      expect(formatError(error)).to.include(`next:  ${next}`);
    }
  });

  it('contain no rows, lines of SQL or passwords', () => {
    const text = documents.formatJson(
      documents.outcomeDocument({ ...outcome, warnings: ["PASSWORD 'hunter2'"] }, failure),
    );
    expect(text)
      .to.match(/\}\n$/)
      .and.not.match(/row secret|ALTER TABLE|hunter2/);
    expect(JSON.parse(text).error).to.include({
      file: '007_x.up.sql',
      line: 3,
      column: 14,
      sqlstate: '42P01',
      next: 'correct the file',
    });
  });

  it('state whether everything is in order', () => {
    expect(documents.statusDocument([{ version: '1_a', state: 'out of order' }]).upToDate).to.equal(false);
    expect(documents.statusDocument([{ version: '1_a', state: 'held' }]).upToDate).to.equal(false);
    expect(documents.statusDocument([{ version: '1_a', state: 'unknown' }]).upToDate).to.equal(true);
    expect(documents.validateDocument({ ...validation, error: failure }).valid).to.equal(false);
    expect(documents.validateDocument(validation).valid, 'warnings alone').to.equal(true);
  });
});

describe('docs/schemas', () => {
  for (const [name, examples] of Object.entries(DOCUMENTS)) {
    it(name, () => {
      expect(SCHEMAS.get(name)?.$id).to.equal(`urn:lockstep:schema:${name}`);
      for (const example of examples) expect(violations(name, JSON.parse(JSON.stringify(example)))).to.deep.equal([]);
      expect(violations(name, { command: 'nonsense' }), 'a schema that refuses nothing').to.not.be.empty;
      expect(violations(name, { ...examples[0], nonsense: true }), 'a field of no schema').to.not.be.empty;
    });
  }

  it('are each covered by a document', () => {
    expect([...SCHEMAS.keys()].sort()).to.deep.equal(Object.keys(DOCUMENTS).sort());
  });
});
