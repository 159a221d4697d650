/** What is wrong with the options that the library is given: a caller without types may pass anything. */
import { nearest } from '../core/text/nearest.ts';

/** A type, or the words that are allowed. */
export type Shape = 'text' | 'texts' | 'boolean' | 'number' | 'milliseconds' | 'key' | 'object' | readonly string[];

/** PostgreSQL's timeouts are 32-bit milliseconds, and so are Node's timers. */
const MAX_MS = 2_147_483_647;

interface Rules {
  readonly shapes: Readonly<Record<string, Shape>>;
  /** Options of the other direction, which would be ignored. */
  readonly foreign: readonly string[];
}

/** All of it at once; what is undefined counts as not given. */
export function optionProblems(options: object, { shapes, foreign }: Rules): string[] {
  const present = Object.entries(options).filter(([, value]) => value !== undefined);
  return present.flatMap(([name, value]) => {
    const shape = shapes[name];
    if (shape === undefined) return unknown(name, Object.keys(shapes));
    if (!fits(value, shape))
      return `${name} ${typeof value === 'string' && isWords(shape) ? `${JSON.stringify(value)} is neither ` : 'must be '}${wanted(shape)}`;
    return foreign.includes(name) && value !== false ? `${name} goes only with the other direction` : [];
  });
}

function unknown(name: string, known: readonly string[]): string {
  const guess = nearest(name, known);
  return `there is no option ${JSON.stringify(name)}${guess === undefined ? '' : `; did you mean ${guess}?`}`;
}

function isWords(shape: Shape): shape is readonly string[] {
  return typeof shape !== 'string';
}

function fits(value: unknown, shape: Shape): boolean {
  if (isWords(shape)) return typeof value === 'string' && shape.includes(value);
  switch (shape) {
    case 'text':
      return typeof value === 'string';
    case 'texts':
      return Array.isArray(value) && value.every((one) => typeof one === 'string');
    case 'milliseconds':
      return typeof value === 'number' && value >= 0 && value <= MAX_MS;
    case 'key':
      return ['bigint', 'number', 'string'].includes(typeof value);
    case 'object':
      return typeof value === 'object' && value !== null;
    case 'boolean':
    case 'number':
      return typeof value === shape;
  }
}

function wanted(shape: Shape): string {
  if (isWords(shape)) return shape.map((word) => JSON.stringify(word)).join(' nor ');
  const words = {
    text: 'a string',
    texts: 'an array of strings',
    milliseconds: `a number of milliseconds from 0 to ${MAX_MS}`,
    key: 'a whole number',
    object: 'an object',
    boolean: 'true or false',
    number: 'a number',
  };
  return words[shape];
}
