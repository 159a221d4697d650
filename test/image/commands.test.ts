/** Every command, in a container as strict as can be. */
import { chmod } from 'node:fs/promises';
import { expect } from 'chai';

import type { CommandName } from '../../src/core/runner.ts';
import { expectExit } from '../support/cli.ts';
import { FIVE_FILES, versionsOf } from '../support/migrations.ts';
import { useWorkspace } from '../support/workspace.ts';
import { useLockstepImage, type ContainerResult } from './support/lockstep-image.ts';
