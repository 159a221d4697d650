/** Partly executed versions of every kind, and the table of exit codes and effects of each possible next command. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { expectExit, runCli, startCli, type CliResult } from '../../support/cli.ts';
import { closeGate, openSnapshot, type Gate } from '../../support/gate.ts';
import type { Files } from '../../support/migrations.ts';
import { schemaOf } from '../../support/schema.ts';
import type { Workspace } from '../../support/workspace.ts';

type Way = 'up' | 'down';
/** The statement failed, or the run was killed in a build, or in a statement that commits in its middle. */
export type How = 'failed' | 'killed' | '41';
export const HOWS: readonly How[] = ['failed', 'killed', '41'];

/** The partly executed version is the second of three. */
export const PART = '002_b';

/** The last statement of the partly executed file: as it was, and corrected. */
function half(how: How, gate: Gate): { readonly asItWas: string; readonly corrected: string } {
  switch (how) {
    case 'failed':
      return {
        asItWas: 'CREATE INDEX CONCURRENTLY a_v ON a (nope);',
        corrected: 'CREATE INDEX CONCURRENTLY a_v ON a (v);',
      };
    case 'killed':
      return {
        asItWas: 'CREATE INDEX CONCURRENTLY a_v ON a (v);',
        corrected: 'CREATE INDEX CONCURRENTLY a_v ON a (v);',
      };
    case '41': {
      const block = `DO $$ BEGIN INSERT INTO a VALUES (7, 7); COMMIT; ${gate.sql.replace('SELECT', 'PERFORM')} END $$;`;
      return { asItWas: block, corrected: block };
    }
  }
}

const FIRST: Readonly<Record<Way, string>> = {
  up: 'ALTER TABLE a ADD COLUMN w int;',
  down: 'ALTER TABLE a DROP COLUMN w;',
};

function filesOf(way: Way, ending: string, first = FIRST[way]): Files {
  const halfFile = `-- lockstep: no-transaction\n${first}\n${ending}\n`;
  return {
    '001_a.up.sql': 'CREATE TABLE a (id int, v int);\nINSERT INTO a SELECT n, n FROM generate_series(1, 5) n;',
    '001_a.down.sql': 'DROP TABLE a;',
    [`${PART}.up.sql`]: way === 'up' ? halfFile : FIRST.up,
    [`${PART}.down.sql`]: way === 'down' ? halfFile : 'ALTER TABLE a DROP COLUMN w;',
    '003_c.up.sql': 'CREATE TABLE c (id int);',
    '003_c.down.sql': 'DROP TABLE IF EXISTS c;',
  };
}

const without = (files: Files, ...versions: readonly string[]): Files =>
  Object.fromEntries(Object.entries(files).filter(([name]) => !versions.some((version) => name.startsWith(version))));

export interface Cell {
  readonly way: Way;
  readonly how: How;
  readonly next: string;
}

export interface Next {
  /** The files of the image that runs it, derived from the original files. */
  readonly image?: (files: Files, cell: Cell) => Files;
  readonly args: readonly string[];
  /** Exit codes for failed, killed, 41. */
  readonly exits: readonly [number, number, number];
  /** The version is completed, or its progress is discarded; for failed, killed, 41. */
  readonly ends?: readonly [boolean, boolean, boolean];
  /** Runs other work too, or removes the leftovers of a killed build; otherwise the catalog is unchanged. */
  readonly changes?: true;
  readonly prepare?: (workspace: Workspace) => Promise<unknown>;
}

const NEVER = [false, false, false] as const;
const OTHER_INDEX = 'CREATE INDEX CONCURRENTLY a_other ON a (v);';
const edited =
  (first: string | undefined, ending: string | undefined) =>
  (files: Files, { way }: Cell): Files => {
    const name = `${PART}.${way}.sql`;
    const [, was = '', ...rest] = files[name]!.trimEnd().split('\n');
    return { ...files, [name]: `-- lockstep: no-transaction\n${first ?? was}\n${ending ?? rest.join('\n')}\n` };
  };
const oneTransaction = (files: Files, { way }: Cell): Files => ({
  ...files,
  [`${PART}.${way}.sql`]: 'INSERT INTO a VALUES (8, 8), (9, 9);',
});
const goose = (workspace: Workspace): Promise<unknown> =>
  workspace.query(
    'CREATE TABLE goose_db_version AS SELECT v AS id, v::bigint AS version_id, true AS is_applied, now() AS tstamp FROM generate_series(1, 3) v',
  );
const IMPORT = ['import', '--from', 'goose'] as const;

/** 001 and 003 are applied, 002 is partly applied. */
const AFTER_UP: Readonly<Record<string, Next>> = {
  up: { args: ['up'], exits: [40, 0, 41], ends: [false, true, false], changes: true },
  'up, corrected': {
    image: edited(undefined, undefined),
    args: ['up'],
    exits: [40, 0, 41],
    ends: [false, true, false],
    changes: true,
  },
  'down above': { args: ['down', '--steps', '1'], exits: [0, 0, 0], changes: true },
  'down to it': { args: ['down', '--to', PART], exits: [24, 24, 24] },
  'down below': { args: ['down', '--to', '001_a'], exits: [24, 24, 24] },
  'down of all': { args: ['down', '--all', '--confirm', 'postgres'], exits: [24, 24, 24] },
  'down of two': { args: ['down', '--steps', '2'], exits: [24, 24, 24] },
  baseline: { args: ['baseline', '--to', '003_c'], exits: [22, 22, 22] },
  import: { args: IMPORT, exits: [22, 22, 22], prepare: goose },
  repair: { args: ['repair'], exits: [0, 0, 41] },
  'repair --statement done': { args: ['repair', '--only', PART, '--statement', 'done'], exits: [0, 22, 0] },
  'repair --reset': { args: ['repair', '--only', PART, '--reset'], exits: [0, 0, 0], ends: [true, true, true] },
  'another image without the file': { image: (files) => without(files, PART), args: ['up'], exits: [0, 0, 0] },
  'another image without the file, with more': {
    image: (files) => ({
      ...without(files, PART),
      '004_d.up.sql': 'CREATE TABLE d ();',
      '004_d.down.sql': 'DROP TABLE d;',
    }),
    args: ['up'],
    exits: [0, 0, 0],
    changes: true,
  },
  'a finished statement edited': {
    image: edited('ALTER TABLE a ADD COLUMN ww int;', undefined),
    args: ['up'],
    exits: [22, 22, 41],
    changes: true,
  },
  'the statement edited': {
    image: edited(undefined, OTHER_INDEX),
    args: ['up'],
    exits: [0, 0, 41],
    ends: [true, true, false],
    changes: true,
  },
  'edited into one transaction': { image: oneTransaction, args: ['up'], exits: [22, 22, 41], changes: true },
};

/** 001 and 002 were applied, 002 is partly rolled back. */
const AFTER_DOWN: Readonly<Record<string, Next>> = {
  up: { args: ['up'], exits: [22, 22, 22] },
  'up with nothing else': { image: (files) => without(files, '003'), args: ['up'], exits: [22, 22, 22] },
  'down to it': { args: ['down', '--to', PART], exits: [22, 22, 22] },
  'the same down': { args: ['down', '--to', '001_a'], exits: [40, 0, 41], ends: [false, true, false], changes: true },
  'down below': {
    args: ['down', '--all', '--confirm', 'postgres'],
    exits: [40, 0, 41],
    ends: [false, true, false],
    changes: true,
  },
  baseline: { args: ['baseline', '--to', '003_c'], exits: [0, 0, 0] },
  import: { args: IMPORT, exits: [0, 0, 0], changes: true, prepare: goose },
  repair: { args: ['repair'], exits: [0, 0, 41] },
  'repair --statement again': { args: ['repair', '--only', PART, '--statement', 'again'], exits: [0, 0, 0] },
  'repair --reset': { args: ['repair', '--only', PART, '--reset'], exits: [0, 0, 0], ends: [true, true, true] },
  'another image without the file': { image: (files) => without(files, PART, '003'), args: ['up'], exits: [0, 0, 0] },
  'another image without the file, with more': {
    image: (files) => without(files, PART),
    args: ['up'],
    exits: [22, 22, 22],
  },
  'the same down by another image': {
    image: (files) => without(files, PART, '003'),
    args: ['down', '--to-files'],
    exits: [40, 0, 41],
    ends: [false, true, false],
    changes: true,
  },
  'a finished statement edited': {
    image: edited('ALTER TABLE a DROP COLUMN IF EXISTS w;', undefined),
    args: ['down', '--to', '001_a', '--from', 'files'],
    exits: [22, 22, 41],
    changes: true,
  },
  'the statement edited': {
    image: edited(undefined, OTHER_INDEX),
    args: ['down', '--to', '001_a', '--from', 'files'],
    exits: [0, 0, 41],
    ends: [true, true, false],
    changes: true,
  },
  'edited into one transaction': {
    image: oneTransaction,
    args: ['down', '--to', '001_a', '--from', 'files'],
    exits: [22, 22, 41],
    changes: true,
  },
};

const NEXTS: Readonly<Record<Way, Readonly<Record<string, Next>>>> = { up: AFTER_UP, down: AFTER_DOWN };

/** Every cell of the matrix. */
export const CELLS: readonly Cell[] = (['up', 'down'] as const).flatMap((way) =>
  HOWS.flatMap((how) => Object.keys(NEXTS[way]).map((next) => ({ way, how, next }))),
);

export function expected({ way, how, next }: Cell): Next & { readonly exit: number; readonly end: boolean } {
  const row = NEXTS[way][next]!;
  const column = HOWS.indexOf(how);
  return { ...row, exit: row.exits[column]!, end: (row.ends ?? NEVER)[column]! };
}

/** A workspace in which the second version is partly executed. */
export class HalfDone {
  readonly workspace: Workspace;
  readonly cell: Cell;
  readonly files: Files;
  readonly corrected: Files;
  readonly #gate: Gate;

  private constructor(workspace: Workspace, cell: Cell, gate: Gate) {
    this.workspace = workspace;
    this.cell = cell;
    this.#gate = gate;
    const { asItWas, corrected } = half(cell.how, gate);
    this.files = filesOf(cell.way, asItWas);
    this.corrected = filesOf(cell.way, corrected);
  }

  static async make(workspace: Workspace, cell: Cell): Promise<HalfDone> {
    const made = new HalfDone(workspace, cell, await closeGate(workspace));
    await made.#begin();
    return made;
  }

  async run(files: Files, ...args: readonly string[]): Promise<CliResult> {
    return await runCli([...args, '--log-format', 'text'], {
      env: { ...this.workspace.env, LOCKSTEP_DIR: await this.#image(files) },
    });
  }

  /** Everything except Lockstep's two tables, independent of the schema's name. */
  async catalog(): Promise<string> {
    return JSON.stringify(await schemaOf(this.workspace)).replaceAll(this.workspace.schema, 'schema');
  }

  async #image(files: Files): Promise<string> {
    const dir = join(this.workspace.dir, 'image');
    await rm(dir, { recursive: true, force: true });
    await mkdir(dir);
    for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text);
    return dir;
  }

  async #begin(): Promise<void> {
    const { way, how } = this.cell;
    const before = way === 'up' ? without(this.files, PART) : without(this.files, '003');
    expectExit(await this.run(before, 'up'), 0);
    const args = way === 'up' ? ['up'] : ['down', '--to', '001_a'];
    if (how === 'failed') expectExit(await this.run(this.files, ...args), 40);
    else await this.#kill(args);
    await this.#gate.open();
  }

  /** Kills the run in the middle of its statement. Resolves once the server has noticed. */
  async #kill(args: readonly string[]): Promise<void> {
    const { workspace, cell } = this;
    const snapshot = cell.how === 'killed' ? await openSnapshot(workspace) : undefined;
    const run = startCli(args, { env: { ...workspace.env, LOCKSTEP_DIR: await this.#image(this.files) } });
    const pid = await (snapshot ? snapshot.awaited() : this.#gate.arrived());
    run.kill('SIGKILL');
    await run.exited;
    await workspace.query('SELECT pg_terminate_backend($1, 10000)', [pid]);
    await snapshot?.end();
  }
}
