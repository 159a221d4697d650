/** Whether text is colored. */
import type { Environment } from './settings.ts';

/**
 * `auto` is what the environment says: FORCE_COLOR (https://force-color.org), NO_COLOR (https://no-color.org), else
 * whether this is a terminal that knows colors. As in Node, FORCE_COLOR is the stronger one.
 */
export function usesColor(choice: 'auto' | 'always' | 'never', env: Environment, terminal: boolean): boolean {
  if (choice !== 'auto') return choice === 'always';
  const { FORCE_COLOR: force = '', NO_COLOR: no = '', TERM: term } = env;
  if (force !== '') return force !== '0' && force !== 'false';
  return terminal && no === '' && term !== 'dumb';
}
