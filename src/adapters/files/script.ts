/** A script as its file has it. */
import { MigratorError } from '../../core/errors.ts';
import { checksum, type Directives, type Script } from '../../core/migration.ts';
import { readText } from './read-text.ts';

/** How many characters of all texts together are kept: more than most directories have. */
const KEPT_CHARACTERS = 8_000_000;

/** What the texts of one directory may still take. */
export class TextBudget {
  #left = KEPT_CHARACTERS;

  /** Whether there is room for the text. */
  keeps({ length }: string): boolean {
    this.#left -= length;
    return this.#left >= 0;
  }
}

/** Classes, because an object with a getter of its own takes several times the memory. */
export class KeptScript implements Script {
  readonly file: string;
  readonly text: string;
  readonly directives: Directives;

  constructor(file: string, text: string, directives: Directives) {
    this.file = file;
    this.text = text;
    this.directives = directives;
  }

  /** Computed when it is needed: few are, and loading Node's cryptography is slow. */
  get checksum(): string {
    return checksum(this.text);
  }
}

/** A script whose file is read again whenever its text is needed. */
export class RereadScript implements Script {
  readonly file: string;
  readonly checksum: string;
  readonly directives: Directives;
  readonly #path: string;

  constructor({ file, checksum: sum, directives }: Script, path: string) {
    this.file = file;
    this.checksum = sum;
    this.directives = directives;
    this.#path = path;
  }

  /** @throws MigratorError MIGRATIONS_INVALID if the file has another text now. */
  get text(): string {
    const read = readText(this.#path);
    if ('text' in read && checksum(read.text) === this.checksum) return read.text;
    throw new MigratorError('MIGRATIONS_INVALID', `${this.file} was changed while this command was running`, {
      hint: 'run the command again, on files that nobody changes meanwhile',
    });
  }
}
