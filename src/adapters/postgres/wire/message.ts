/** One simple-protocol message built from parts, which knows which of its text came from a migration file. */
import type { SqlPiece } from '../../../core/sql/script-plan.ts';
import type { ResultSet } from './simple-query.ts';
import { offsetOfCharacter } from '../../../core/text/source-location.ts';

/** Statements of ours whose failure has a meaning of its own. */
export type OwnStatement = 'tables' | 'guard' | 'row' | 'record' | 'lock' | 'journal';

const MARK = 'lockstep: the file is done';

const END = '\n;\n';

interface SourcePart {
  readonly messageStart: number;
  readonly length: number;
  readonly sourceOffset: number;
}

export class Message {
  readonly #encode: (text: string) => string;
  #text = '';
  readonly #sources: SourcePart[] = [];
  /** For each statement of the message, its offset in the file; undefined for one of ours, or when it is unknown. */
  readonly #statements: (number | undefined)[] = [];
  /** What the failure of a statement of ours means: before the file's text, and after the mark behind it. */
  readonly #before = new Map<number, OwnStatement>();
  readonly #after: (OwnStatement | undefined)[] = [];
  #marked = false;
  #markedAt = 0;

  /** `encode` applies to our statements; the file's text is sent unchanged. */
  constructor(encode: (text: string) => string = (text) => text) {
    this.#encode = encode;
  }

  get text(): string {
    return this.#text;
  }

  get hasSource(): boolean {
    return this.#sources.length > 0;
  }

  /** Adds one statement of ours, without its semicolon. */
  add(...statements: readonly string[]): this {
    for (const statement of statements) {
      this.#text += `${this.#encode(statement)};\n`;
      this.#statements.push(undefined);
    }
    return this;
  }

  /** Adds statements whose failure has a meaning of its own. */
  addOwn(what: OwnStatement, ...statements: readonly string[]): this {
    for (const statement of statements) {
      if (this.#marked) this.#after[this.#statements.length - this.#markedAt - 1] = what;
      else this.#before.set(this.#statements.length, what);
      this.add(statement);
    }
    return this;
  }

  /** Marks the end of the file, whose number of statements may be unknown; selects `columns` beside the mark. */
  addMark(columns: string): this {
    this.#marked = true;
    this.#markedAt = this.#statements.length;
    return this.add(`SELECT '${MARK}', ${columns}`);
  }

  /**
   * Which statement of ours failed after these results; undefined for the file's statements and for unnamed ones of
   * ours.
   */
  ownFailure(results: readonly ResultSet[]): OwnStatement | undefined {
    const mark = results.findLastIndex(({ rows }) => rows.at(-1)?.[0] === MARK);
    return mark === -1 ? this.#before.get(results.length) : this.#after[results.length - mark - 1];
  }

  /**
   * Adds a migration's text. A newline ends it, for its last line may be a comment that would swallow the semicolon.
   */
  addSource(piece: SqlPiece): this {
    this.#sources.push({
      messageStart: this.#text.length,
      length: piece.sql.length,
      sourceOffset: piece.offset,
    });
    this.#text += piece.sql + END;
    this.#statements.push(...(piece.starts ?? []));
    return this;
  }

  /** Where in the file the statement begins that comes after `finished` others; undefined when it is ours. */
  statementOffset(finished: number): number | undefined {
    return this.#statements[finished];
  }

  /**
   * The server's words on a syntax error at `position` of the file take in what comes behind the file, or are about
   * nothing else.
   */
  quotesOurs(words: string, position: number | undefined): boolean {
    if (position === undefined) return true;
    const last = this.#sources.at(-1);
    return (
      last !== undefined && words.includes(this.#text.slice(last.messageStart + last.length + END.length).slice(0, 100))
    );
  }

  /**
   * Where in the file the server's `position` (characters of the message, from 1) lies; undefined when it is in our
   * text.
   */
  sourceOffset(position: number): number | undefined {
    const at = offsetOfCharacter(this.#text, position);
    const part = this.#sources.find((one) => at >= one.messageStart && at < one.messageStart + one.length + END.length);
    // The server reports an error at the end of the file at the semicolon that we add there.
    return part && part.sourceOffset + Math.min(at - part.messageStart, part.length);
  }
}
