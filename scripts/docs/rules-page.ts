// Answers: what do the generated blocks of docs/rules.md say?
import { CHECKS } from '../../src/core/rules/checks.ts';
import { CLAIMS } from '../../src/core/rules/claims.ts';
import { EXAMPLE_SCHEMA } from '../../src/core/rules/example-schema.ts';
import type { Rule } from '../../src/core/rules/rule.ts';
import { RULES } from '../../src/core/rules/rules.ts';
import { ONLY_OTHERS, ONLY_SQUAWK_ON_GOOD, PEERS } from './peers.ts';
import { code, table } from './tables.ts';

export const RULES_PAGE = { checks, comparison, others, proved, 'example-schema': exampleSchema, rules } as const;

const SERVERS = [14, 15, 16, 17, 18] as const;

function checks(): string {
  return table(
    ['check', 'finds'],
    Object.entries(CHECKS).map(([id, meaning]) => [code(id), meaning]),
  );
}

function comparison(): string {
  const rows = RULES.map(({ id }) => {
    const { squawk = '', eugene = '', strong = '' } = PEERS[id] ?? {};
    return [`[${id}](#${id})`, listed(squawk), eugene, strong];
  });
  return table(['Lockstep', 'squawk', 'eugene', 'strong_migrations'], rows);
}

function others(): string {
  return [
    table(
      ['tool', 'reports', 'why Lockstep does not'],
      ONLY_OTHERS.map(([peer, rule, reason]) => [peer, peer === 'squawk' ? listed(rule) : rule, reason]),
    ),
    'squawk also reports these good examples:',
    table(
      ['of the rule', 'squawk', 'why Lockstep is silent'],
      ONLY_SQUAWK_ON_GOOD.map(([rule, squawk, reason]) => [code(rule), code(squawk), reason]),
    ),
  ].join('\n\n');
}

function proved(): string {
  const claims = Object.values(CLAIMS);
  const counts = SERVERS.map((server) => String(claims.filter(({ since = 0 }) => since <= server).length));
  return table(['PostgreSQL', ...SERVERS.map(String)], [['claims proved', ...counts]]);
}

function exampleSchema(): string {
  return sql(EXAMPLE_SCHEMA.trimEnd());
}

function rules(): string {
  const families = [...Map.groupBy(RULES, ({ family }) => family)];
  return families.map(([family, all]) => [`## ${capital(family)}`, ...all.map(section)].join('\n\n')).join('\n\n');
}

function section({ id, level, direction, blocks, instead, versions, before, bad, good }: Rule): string {
  const where = direction === 'up' ? 'in up files' : 'in up and down files';
  return [
    `### ${id}`,
    `${capital(level)}, ${where}. ${capital(blocks)}. Instead: ${instead}.${versions === undefined ? '' : ` ${versions}`}`,
    ...(before === undefined ? [] : ['After', sql(before)]),
    before === undefined ? 'It finds' : 'it finds',
    sql(bad),
    good.length === 1 ? 'Write instead' : 'Write instead, a file each',
    ...good.map(sql),
  ].join('\n\n');
}

function listed(names: string): string {
  return names === '' ? '' : names.split(', ').map(code).join(', ');
}

function sql(text: string): string {
  return `\`\`\`sql\n${text}\n\`\`\``;
}

function capital(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
