/** `validate`: no database is asked. */
import { isAbsolute, relative } from 'node:path';

import { createFileSource } from '../adapters/files/source.ts';
import { appendSummary } from '../adapters/files/step-summary.ts';
import { newFilesSince } from '../adapters/git/new-files.ts';
import { createSqlParser } from '../adapters/sql-parser/parser.ts';
import type { ValidateConfig } from '../config/config.ts';
import { MigratorError } from '../core/errors.ts';
import type { ValidateReport } from '../core/reports.ts';
import { readLevels, type RuleLevels } from '../core/rules/levels.ts';
import { RULES } from '../core/rules/rules.ts';
import { validate } from '../engine/commands/validate.ts';
import { validateDocument } from '../output/documents.ts';
import { formatValidation } from '../output/reports.ts';
import { formatGithub, githubSummary } from '../output/review/github.ts';
import { formatGitlab } from '../output/review/gitlab.ts';
import { formatSarif } from '../output/review/sarif.ts';
import type { Answer, ProcessContext } from './process-context.ts';

export async function validateAnswer(config: ValidateConfig, { env }: ProcessContext): Promise<Answer> {
  const { files, newerThan, since } = config;
  const levels = levelsOf(config);
  const added = since === undefined ? undefined : await newFilesSince(since, files.dir);
  const report = await validate(createFileSource(files), createSqlParser(), {
    strict: files.strict,
    levels,
    newerThan,
    isNew: added && ((file) => added.has(file)),
  });
  return { document: validateDocument(report), text: textOf(report, config, env), error: report.error };
}

function levelsOf({ rule }: ValidateConfig): RuleLevels {
  const { levels, problems } = rule === undefined ? { levels: new Map(), problems: [] } : readLevels(rule, RULES);
  if (problems.length === 0) return levels;
  throw new MigratorError('CONFIG_INVALID', 'a setting is wrong', {
    problems: problems.map((problem) => `--rule: ${problem}`),
    hint: 'docs/rules.md lists the rules',
  });
}

function textOf(report: ValidateReport, config: ValidateConfig, env: ProcessContext['env']): string {
  const prefix = config.pathPrefix ?? fromHere(config.files.dir);
  switch (config.format) {
    case 'github': {
      const path = env['GITHUB_STEP_SUMMARY'] ?? '';
      const summary = path !== '' && appendSummary(path, githubSummary(report, prefix));
      return formatGithub(report, { prefix, summary });
    }
    case 'gitlab':
      return formatGitlab(report, prefix);
    case 'sarif':
      return formatSarif(report, prefix);
    case 'json':
    case 'text':
      return formatValidation(report);
  }
}

/** As the repository has it, where Lockstep runs at its root. */
function fromHere(dir: string): string {
  return isAbsolute(dir) ? relative('', dir) : dir;
}
