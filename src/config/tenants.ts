/** In which schemas of the database does the command work, and what does not go with that? */
import type { TenantsConfig } from './config.ts';
import type { OptionValues } from './option-values.ts';

export function tenantsConfig(values: OptionValues): { readonly tenants?: TenantsConfig } {
  const { schemas, excludeSchemas = [], schemasParallel: parallel, failFast } = values;
  if (schemas === undefined) return {};
  return { tenants: { selection: { include: schemas, exclude: excludeSchemas }, parallel, failFast } };
}

export function tenantsProblems({ schemas, excludeSchemas, table, lockKey, drift }: OptionValues): string[] {
  if (schemas === undefined) return excludeSchemas === undefined ? [] : ['--exclude-schemas: needs --schemas'];
  return [
    ...(schemas.length === 0 ? ['--schemas: names no schema'] : []),
    ...(table.schema === undefined
      ? []
      : ['--table: with --schemas it is a name without a schema, as each schema has a history of its own']),
    ...(drift === 'off' ? [] : ['--drift: cannot be used with --schemas']),
    ...(lockKey === undefined
      ? []
      : ['--lock-key: cannot be used with --schemas, as each schema has a key of its own']),
  ];
}
