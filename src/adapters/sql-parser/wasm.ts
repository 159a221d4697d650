/** PostgreSQL's parser as a WebAssembly module: a text in, a parse tree or an error out. */
import v8 from 'node:v8';
import load, { type PgQueryModule } from 'libpg-query/wasm/libpg-query.js';

interface RawStatement {
  readonly stmt?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** In UTF-8 bytes; absent if 0. */
  readonly stmt_location?: number;
  /** In UTF-8 bytes; absent if the statement reaches to the end of the text. */
  readonly stmt_len?: number;
}

export type RawResult =
  | { readonly statements: readonly RawStatement[] }
  /** `position` counts characters (code points) from 1; 0 if there is none. */
  | { readonly error: string; readonly position: number };

/**
 * Parses with PostgreSQL's grammar. @throws WebAssembly's error when it runs out of stack or memory; the module is
 * unusable then.
 */
export type Grammar = (text: string) => RawResult;

/** Takes about 12 ms. The module's own output must not reach stdout, which may be a JSON document. */
export async function loadGrammar(): Promise<Grammar> {
  const said: string[] = [];
  try {
    const module = await load({ print: () => undefined, printErr: (line) => said.push(line) });
    return (text) => parseRaw(module, text);
  } catch (cause) {
    throw new Error(`PostgreSQL's parser could not be loaded: ${said.join(' ')}`, { cause });
  }
}

function parseRaw(module: PgQueryModule, text: string): RawResult {
  return withoutOptimising(() => {
    const size = module.lengthBytesUTF8(text) + 1;
    const source = module._malloc(size);
    module.stringToUTF8(text, source, size);
    const result = module._wasm_parse_query_raw(source);
    if (result === 0) throw new Error('out of memory');
    const answer = readResult(module, result);
    module._wasm_free_parse_result(result);
    module._free(source);
    return answer;
  });
}

/** PgQueryParseResult is { char *tree, char *stderr, PgQueryError *error }. */
function readResult(module: PgQueryModule, result: number): RawResult {
  const error = module.getValue(result + 8, 'i32');
  if (error !== 0) {
    // PgQueryError is { char *message, char *function, char *file, int line, int cursor, char *context }.
    const message = module.UTF8ToString(module.getValue(error, 'i32'));
    return { error: message, position: module.getValue(error + 16, 'i32') };
  }
  const tree = JSON.parse(module.UTF8ToString(module.getValue(result, 'i32'))) as { stmts?: RawStatement[] };
  return { statements: tree.stmts ?? [] };
}

/**
 * V8's optimising compiler takes over 400 MB for the parser's largest functions, more than a container may have, and
 * parsing ends before that pays off. Functions first called in here keep the code of the baseline compiler.
 */
function withoutOptimising<T>(work: () => T): T {
  v8.setFlagsFromString('--no-wasm-tier-up');
  v8.setFlagsFromString('--no-wasm-dynamic-tiering');
  try {
    return work();
  } finally {
    v8.setFlagsFromString('--wasm-tier-up');
    v8.setFlagsFromString('--wasm-dynamic-tiering');
  }
}
