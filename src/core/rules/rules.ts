/** Every rule of `validate`, in the order of docs/rules.md. */
import { COLUMN_RULES } from './column-rules.ts';
import { CONSTRAINT_RULES } from './constraint-rules.ts';
import { DATA_RULES } from './data-rules.ts';
import { DROP_RULES } from './drop-rules.ts';
import { FILE_RULES } from './file-rules.ts';
import { INDEX_RULES } from './index-rules.ts';
import { OBJECT_RULES } from './object-rules.ts';
import { PARTITION_RULES } from './partition-rules.ts';
import { RENAME_RULES } from './rename-rules.ts';
import { REWRITE_RULES } from './rewrite-rules.ts';
import type { Rule } from './rule.ts';
import { STYLE_RULES } from './style-rules.ts';
import { TYPE_RULES } from './type-rules.ts';

export const RULES: readonly Rule[] = [
  ...INDEX_RULES,
  ...CONSTRAINT_RULES,
  ...COLUMN_RULES,
  ...REWRITE_RULES,
  ...DROP_RULES,
  ...RENAME_RULES,
  ...TYPE_RULES,
  ...PARTITION_RULES,
  ...DATA_RULES,
  ...OBJECT_RULES,
  ...FILE_RULES,
  ...STYLE_RULES,
];
