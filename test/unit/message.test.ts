import { expect } from 'chai';
import fc from 'fast-check';

import { Message } from '../../src/adapters/postgres/wire/message.ts';

/** PostgreSQL counts characters from 1; JavaScript counts code units. */
function positionOf(text: string, wanted: string): number {
  return Array.from(text.slice(0, text.indexOf(wanted))).length + 1;
}

describe('a message', () => {
  it('terminates each generated statement, and the last line of the file, which may be a comment', () => {
    const message = new Message()
      .add('BEGIN', 'SELECT 1')
      .addSource({ sql: 'SELECT 2 -- so', offset: 0, blocking: true, relations: [] })
      .add('COMMIT');
    expect(message.text).to.equal('BEGIN;\nSELECT 1;\nSELECT 2 -- so\n;\nCOMMIT;\n');
  });

  const ours = `INSERT INTO t VALUES ('é 😀')`;
  const table: [name: string, before: string, file: string][] = [
    ['plain text', 'BEGIN', 'SELECT WRONG'],
    ['é and emoji in the generated text before', ours, 'SELECT WRONG'],
    ['é and emoji in the file before', 'BEGIN', "/* é😀 */ SELECT '😀é', WRONG"],
    ['both', ours, "SELECT '日本', '😀', WRONG, 'é'"],
    ['several lines', ours, '-- 😀\r\n\r\nSELECT é\n, WRONG\n'],
  ];
  for (const [name, before, file] of table) {
    it(`maps a position to the file: ${name}`, () => {
      const message = new Message()
        .add(before)
        .addSource({ sql: file, offset: 0, blocking: true, relations: [] })
        .add('COMMIT');
      expect(message.sourceOffset(positionOf(message.text, 'WRONG'))).to.equal(file.indexOf('WRONG'));
    });
  }

  it('maps a position in a piece to the file', () => {
    const message = new Message()
      .addSource({ sql: "SELECT '😀'", offset: 100, blocking: true, relations: [] })
      .add('SET LOCAL lock_timeout = 0')
      .addSource({ sql: "SELECT '😀', WRONG", offset: 200, blocking: false, relations: [] });
    expect(message.sourceOffset(positionOf(message.text, "SELECT '😀'"))).to.equal(100);
    expect(message.sourceOffset(positionOf(message.text, 'WRONG'))).to.equal(213);
  });

  it('returns no position for generated text', () => {
    const message = new Message()
      .add('BEGIN')
      .addSource({ sql: 'SELECT 2', offset: 0, blocking: true, relations: [] })
      .add('INSERT');
    expect(message.sourceOffset(1)).to.equal(undefined);
    expect(message.sourceOffset(positionOf(message.text, 'INSERT'))).to.equal(undefined);
  });

  it('maps an error at the added semicolon to the end of the file', () => {
    const sql = 'CREATE TABLE t (a int';
    const message = new Message()
      .add('BEGIN')
      .addSource({ sql, offset: 0, blocking: true, relations: [] })
      .add('COMMIT');
    const semicolon = message.text.indexOf(sql) + sql.length + 1;
    expect(message.text[semicolon]).to.equal(';');
    expect(message.sourceOffset(semicolon + 1)).to.equal(sql.length);
  });

  it('maps every character of any file', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'é', '日', '😀', '\n', "'"), minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(text, text, fc.nat(19), (before, file, nth) => {
        const characters = Array.from(file);
        const at = characters.slice(0, nth % characters.length).join('').length;
        const message = new Message().add(before).addSource({ sql: file, offset: 7, blocking: true, relations: [] });
        const position = Array.from(message.text.slice(0, before.length + 2 + at)).length + 1;
        return message.sourceOffset(position) === 7 + at;
      }),
    );
  });
});
