/** The notice that a chat or a pipeline gets of a run's end: the termination message, and a `text` for people. */
import { failedNote, finishedNote, tenantsFinishedNote } from '../events/notes.ts';
import { terminationMessage, type Ending } from '../termination-message.ts';

export interface NoticeSubject {
  readonly release?: string | undefined;
  readonly database?: string | undefined;
}

export function noticeBody(ending: Ending, subject: NoticeSubject): string {
  return JSON.stringify({ ...(JSON.parse(terminationMessage(ending)) as object), text: noticeText(ending, subject) });
}

function noticeText(
  { command, target, outcome, schemas, error, durationMs }: Ending,
  { release, database }: NoticeSubject,
): string {
  const parts = [release === undefined ? undefined : `of ${release}`, placeOf(target, database)];
  const what = ['lockstep', command, ...parts].filter((part) => part !== undefined).join(' ');
  const versions = (outcome?.done ?? []).map(({ version }) => version);
  const direction = command === 'down' ? 'down' : 'up';
  if (error) return `${what}: ${failedNote(error)}`;
  if (schemas) return `${what}: ${tenantsFinishedNote(direction, schemas.counts, durationMs)}`;
  return `${what}: ${finishedNote(direction, versions, durationMs)}`;
}

function placeOf(target: string | undefined, database: string | undefined): string | undefined {
  const place = target ?? database;
  return place === undefined ? undefined : `in ${place}`;
}
