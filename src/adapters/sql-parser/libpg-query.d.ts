/** The WebAssembly module inside libpg-query, which the package itself can't make anew after a crash. */
declare module 'libpg-query/wasm/libpg-query.js' {
  /** An address in the module's memory. */
  type Pointer = number;

  export interface PgQueryModule {
    _malloc(bytes: number): Pointer;
    _free(at: Pointer): void;
    lengthBytesUTF8(text: string): number;
    stringToUTF8(text: string, at: Pointer, bytes: number): void;
    UTF8ToString(at: Pointer): string;
    getValue(at: Pointer, type: 'i32'): number;
    /** Returns a `PgQueryParseResult*`; see pg_query.h of libpg_query. */
    _wasm_parse_query_raw(text: Pointer): Pointer;
    _wasm_free_parse_result(result: Pointer): void;
  }

  export default function load(options: {
    print?: (line: string) => void;
    printErr?: (line: string) => void;
  }): Promise<PgQueryModule>;
}
