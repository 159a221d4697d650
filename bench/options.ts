// Answers: what is to be measured? The words after `npm run bench --`.
import { parseArgs } from 'node:util';

export interface Options {
  /** Names of goals, of peers; undefined for all of them. */
  readonly only: readonly string[] | undefined;
  readonly peers: readonly string[] | undefined;
  readonly repeat: number;
  /** Where the figures go. */
  readonly json: string;
  readonly writeDocs: boolean;
}

export const usage = `npm run bench -- [--only GOAL,…] [--peers none|NAME,…] [--repeat N] [--json FILE] [--write-docs]`;

/** @throws Error that says what is wrong with the words. */
export function readOptions(words: readonly string[], goals: readonly string[], peers: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...words],
    options: {
      only: { type: 'string' },
      peers: { type: 'string' },
      repeat: { type: 'string', default: '15' },
      json: { type: 'string', default: new URL('results/latest.json', import.meta.url).pathname },
      'write-docs': { type: 'boolean', default: false },
    },
  });
  const repeat = Number(values.repeat);
  if (!Number.isInteger(repeat) || repeat < 1)
    throw new Error(`--repeat ${values.repeat}: a whole number from 1 on is expected`);
  if (values['write-docs'] && (values.only ?? values.peers) !== undefined)
    throw new Error('--write-docs writes all figures: measure all of them');
  return {
    only: namesFrom('--only', values.only, goals),
    peers: values.peers === 'none' ? [] : namesFrom('--peers', values.peers, peers),
    repeat,
    json: values.json,
    writeDocs: values['write-docs'],
  };
}

function namesFrom(flag: string, list: string | undefined, known: readonly string[]): readonly string[] | undefined {
  const names = list?.split(',');
  const unknown = names?.filter((name) => !known.includes(name)) ?? [];
  if (unknown.length > 0)
    throw new Error(`${flag} ${unknown.join(',')}: one or more of ${known.join(', ')} are expected`);
  return names;
}
