/** The few colors of the text on a terminal. */

export type Color = 'green' | 'yellow' | 'red' | 'dim' | 'plain';
export type Paint = (color: Color, text: string) => string;

/** SGR codes (ECMA-48, 8.3.117). */
const CODES: Readonly<Record<Exclude<Color, 'plain'>, number>> = { green: 32, yellow: 33, red: 31, dim: 2 };

export function createPaint(colored: boolean): Paint {
  return (color, text) =>
    !colored || color === 'plain' || text === '' ? text : `\u001b[${CODES[color]}m${text}\u001b[0m`;
}
