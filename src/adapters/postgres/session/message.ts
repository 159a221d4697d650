/** One simple-protocol message built from parts, which knows which of its text came from a migration file. */
import type { SqlPiece } from '../../../core/sql/script-plan.ts';
import { offsetOfCharacter } from '../../../core/source-location.ts';

const END = '\n;\n';

interface SourcePart {
  readonly messageStart: number;
  readonly length: number;
  readonly sourceOffset: number;
}

export class Message {
  #text = '';
  readonly #sources: SourcePart[] = [];
  /** Per statement of the message, where it begins in the file; undefined for one of ours, or when nobody knows. */
  readonly #statements: (number | undefined)[] = [];

  get text(): string {
    return this.#text;
  }

  /** Adds one statement of ours, without its semicolon. */
  add(...statements: readonly string[]): this {
    for (const statement of statements) {
      this.#text += `${statement};\n`;
      this.#statements.push(undefined);
    }
    return this;
  }

  /** Adds a migration's text. A newline ends it, for its last line may be a comment that would swallow the semicolon. */
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

  /** Where in the file the server's `position` (characters of the message, from 1) lies; undefined when it is in our text. */
  sourceOffset(position: number): number | undefined {
    const at = offsetOfCharacter(this.#text, position);
    const part = this.#sources.find((one) => at >= one.messageStart && at < one.messageStart + one.length + END.length);
    // An error at the end of the file is told at the semicolon that we put there.
    return part && part.sourceOffset + Math.min(at - part.messageStart, part.length);
  }
}
