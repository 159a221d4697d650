/** How many columns of a terminal a text takes, and how it is cut or wrapped to fit. */

/** East Asian characters and emoji take two columns (Unicode UAX #11); combining characters and formats take none. */
const WIDE =
  /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|\p{Emoji_Presentation}|[\u3001-\u303e\uff01-\uff60\uffe0-\uffe6]/u;
const WITHOUT_WIDTH = /[\p{Mn}\p{Me}\p{Cf}]/u;

export function columnsOf(text: string): number {
  let columns = 0;
  for (const character of text) columns += widthOf(character);
  return columns;
}

function widthOf(character: string): number {
  if (character <= '~') return 1;
  if (WITHOUT_WIDTH.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

/** At most `columns` wide: what is longer has `…` in place of its middle. */
export function fit(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  const characters = Array.from(text);
  const room = Math.max(0, columns - 1);
  const head = take(characters, Math.ceil(room / 2));
  const tail = take(characters.reverse(), room - columnsOf(head));
  return `${head}…${Array.from(tail).reverse().join('')}`;
}

function take(characters: readonly string[], columns: number): string {
  let taken = '';
  let left = columns;
  for (const character of characters) {
    left -= widthOf(character);
    if (left < 0) break;
    taken += character;
  }
  return taken;
}

/** In lines of at most `columns`, parted between words; a longer word stays whole, so that it can be copied. */
export function wrap(text: string, columns: number): string[] {
  if (columnsOf(text) <= columns) return [text];
  const [first = '', ...words] = text.trimStart().split(/ +/);
  const lines: string[] = [];
  let line = text.slice(0, text.length - text.trimStart().length) + first;
  for (const word of words) {
    if (columnsOf(`${line} ${word}`) <= columns) line += ` ${word}`;
    else {
      lines.push(line);
      line = word;
    }
  }
  return [...lines, line];
}

/** The same, with all lines but the first indented. */
export function wrapIndented(text: string, columns: number): string[] {
  if (columnsOf(text) <= columns) return [text];
  const indent = ' '.repeat(text.length - text.trimStart().length + 2);
  return wrap(text, columns - indent.length).map((line, index) => (index === 0 ? line : indent + line));
}
