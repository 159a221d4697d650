/** What the library imports first: on a Node that is too old nothing else of it is run. */
// eslint-disable-next-line no-restricted-imports -- the version of Node is no setting: nobody could give another one
import { versions } from 'node:process';

import { MigratorError } from './core/errors.ts';
import { NEWER_NODE, nodeProblem } from './core/node-version.ts';

const problem = nodeProblem(versions.node);
if (problem !== undefined) {
  const error = new MigratorError('CONFIG_INVALID', problem, { hint: NEWER_NODE });
  // Where it was thrown tells nobody anything.
  error.stack = `${error.name}: ${problem}; ${NEWER_NODE}`;
  throw error;
}
