/** What the commands about catalogs print for people on stdout. */
import { describeDifference, describeLeft } from '../core/catalog/describe.ts';
import type { DriftReport, ProvedVersion, ProveReport } from '../core/reports.ts';
import { printableLine } from '../core/text/printable.ts';
import { counted, seconds } from './words.ts';

export function formatDrift({ servers, pending, unknown, unseen, differences }: DriftReport): string {
  const notes = differences.filter(({ note }) => note === true);
  const lines = [
    ...(pending.length === 0 ? [] : [`pending, and so not in the database: ${pending.join(', ')}`]),
    ...(unknown.length === 0 ? [] : [`applied, but without a file here: ${unknown.join(', ')}`]),
    ...(unseen.length === 0 ? [] : [`not compared, as this role may not read them: ${unseen.join(', ')}`]),
    ...(servers.kept === servers.found
      ? []
      : [
          `the schema was kept on PostgreSQL ${servers.kept}, this is ${servers.found}: expressions and definitions are not compared`,
        ]),
    ...differences.map((one) => `${one.note === true ? 'note: ' : ''}${describeDifference(one)}`),
    differences.length === notes.length ? 'No drift.' : counted(differences.length - notes.length, 'difference'),
  ];
  return lines.map(printableLine).join('\n');
}

const WAYS: Readonly<Record<ProvedVersion['way'], string>> = {
  proved: 'the way back is proved',
  different: 'the way back leaves differences',
  failed: 'the way back fails',
  irreversible: 'irreversible',
  none: 'no down file',
};

/** A line for each version while the others are still to come. */
export function provedLine({ version, way, durationMs }: ProvedVersion, count: number, of: number): string {
  return printableLine(`[${count}/${of}] ${version}: ${WAYS[way]} (${seconds(durationMs)})`);
}

export function formatProof({ versions, kept = [], wrote }: ProveReport): string {
  const proved = versions.filter(({ way }) => way === 'proved').length;
  const lines = [
    ...versions.flatMap(
      ({ version, way, differences, failure, locks = [], rewritten, unforeseen = [], durationMs }) => [
        `  ${version}: ${WAYS[way]} (${seconds(durationMs)})`,
        ...differences.map((one) => `    ${one.note === true ? 'note: ' : ''}${describeLeft(one)}`),
        ...(failure ? [`    ${failure.file}: ${failure.summary}`] : []),
        ...locks.map(({ table, lock }) => `    ${lock} on ${table}${rewritten.includes(table) ? ', rewritten' : ''}`),
        ...rewritten
          .filter((one) => !locks.some(({ table }) => table === one))
          .map((table) => `    rewritten: ${table}`),
        ...unforeseen.map(({ table, what }) => `    "lockstep validate" says nothing of this ${what}: ${table}`),
      ],
    ),
    ...kept.map((one) => `kept schema: ${describeDifference(one)}`),
    ...(wrote === undefined ? [] : [`wrote ${wrote}`]),
    `${proved} of ${counted(versions.length, 'version')} proved`,
  ];
  return lines.map(printableLine).join('\n');
}
