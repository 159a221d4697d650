/** Answers: which values has the chart? Read from values.yaml and its comments that begin with "# --". */
import { isMap, parseDocument, type Pair, type Scalar, type YAMLMap } from 'yaml';

export interface ValueRow {
  /** `image.tag`. */
  readonly path: string;
  /** As JSON. */
  readonly default: string;
  readonly description: string;
}

/** @throws Error for a value that nothing is said about. */
export function valueRows(valuesYaml: string): ValueRow[] {
  const document = parseDocument(valuesYaml);
  const problem = document.errors[0];
  if (problem) throw problem;
  return rowsOf(document.contents as unknown as YAMLMap, '', document.commentBefore ?? '');
}

function rowsOf(map: YAMLMap, prefix: string, firstComment: string): ValueRow[] {
  return map.items.flatMap((item, index) => {
    const pair = item as Pair<Scalar<string>>;
    const path = `${prefix}${pair.key.value}`;
    const description = descriptionIn(
      pair.key.commentBefore ?? (index === 0 ? (map.commentBefore ?? firstComment) : ''),
    );
    if (description !== undefined) return [{ path, default: JSON.stringify(plain(pair.value)), description }];
    if (!isMap(pair.value) || pair.value.items.length === 0)
      throw new Error(`values.yaml says nothing about ${path} ("# -- …")`);
    return rowsOf(pair.value, `${path}.`, '');
  });
}

function plain(node: unknown): unknown {
  return (node as { toJSON?: () => unknown } | null)?.toJSON?.() ?? null;
}

function descriptionIn(comment: string): string | undefined {
  const line = comment.split('\n').find((one) => one.startsWith(' -- '));
  return line?.slice(' -- '.length).trim();
}

/** The table of README.md. */
export function valuesTable(valuesYaml: string): string {
  const rows = valueRows(valuesYaml).map(
    (row) =>
      `| \`${row.path}\` | \`${row.default.replaceAll('|', '\\|')}\` | ${row.description.replaceAll('|', '\\|')} |`,
  );
  return ['| value | default | meaning |', '|---|---|---|', ...rows].join('\n');
}
