import { expect } from 'chai';
import fc from 'fast-check';

import { MigratorError } from '../../src/core/errors.ts';
import { maskPasswords, withoutQuoted } from '../../src/core/text/secrets.ts';

describe('maskPasswords', () => {
  const table: [text: string, masked: string][] = [
    ["CREATE ROLE a PASSWORD 'hunter2' LOGIN", "CREATE ROLE a PASSWORD '***' LOGIN"],
    ["create role a password'hunter2'", "create role a password'***'"],
    ["ALTER ROLE a PASSWORD\n  'hunter2'", "ALTER ROLE a PASSWORD\n  '***'"],
    ["PASSWORD 'it''s hunter2'", "PASSWORD '***'"],
    ["PASSWORD E'hunter2'", "PASSWORD '***'"],
    ["PASSWORD U&'hunter2'", "PASSWORD '***'"],
    ["PASSWORD E'a\\'hunter2' x", "PASSWORD '***' x"],
    ["PASSWORD 'with standard_conforming_strings off: \\'hunter2' x", "PASSWORD '***' x"],
    ['PASSWORD $$hunter2$$ x', "PASSWORD '***' x"],
    ['PASSWORD $é$hunter2$$$é$ x', "PASSWORD '***' x"],
    ["PASSWORD ''\n -- goes on\n 'hunter2' x", "PASSWORD '***' x"],
    ["PASSWORD '' 'a'", "PASSWORD '***' 'a'"],
    ["PASSWORD /* 'a' /* b */ */ 'hunter2' x", "PASSWORD /* 'a' /* b */ */ '***' x"],
    ["PASSWORD -- it's\n 'hunter2' x", "PASSWORD -- it's\n '***' x"],
    ["OPTIONS (user 'bob', password 'hunter2')", "OPTIONS (user 'bob', password '***')"],
    ["PASSWORD 'a', PASSWORD 'b'", "PASSWORD '***', PASSWORD '***'"],
    ["SET app.db_password = 'hunter2';", "SET app.db_password = '***';"],
    ["pw_password text; password := 'hunter2';", "pw_password text; password := '***';"],
    ["SET app.password TO 'hunter2';", "SET app.password TO '***';"],
    ['give the password to whoever asks', 'give the password to whoever asks'],
    ["PASSWORD 'cut off in the midd", "PASSWORD '***'"],
    ['PASSWORD $$cut off in the midd', "PASSWORD '***'"],
    // Nested strings.
    ["EXECUTE 'ALTER ROLE x PASSWORD ''hunter2'''; SELECT 'a'", "EXECUTE 'ALTER ROLE x PASSWORD ''***'''; SELECT 'a'"],
    [
      "EXECUTE E'ALTER ROLE x PASSWORD \\'hunter2\\''; SELECT 'a'",
      "EXECUTE E'ALTER ROLE x PASSWORD \\'***\\''; SELECT 'a'",
    ],
    [
      "EXECUTE 'ALTER ROLE x PASSWORD E''a\\''hunter2'''; SELECT 'a'",
      "EXECUTE 'ALTER ROLE x PASSWORD ''***'''; SELECT 'a'",
    ],
    [
      "EXECUTE 'ALTER ROLE x PASSWORD U&''hunter2'''; SELECT 'a'",
      "EXECUTE 'ALTER ROLE x PASSWORD ''***'''; SELECT 'a'",
    ],
    ["EXECUTE 'PASSWORD ''cut off in the midd", "EXECUTE 'PASSWORD ''***''"],
    [`SELECT '{"password": "hunter2", "a": 1}'`, `SELECT '{"password": "***", "a": 1}'`],
    // Concatenated SQL.
    [
      "EXECUTE 'ALTER ROLE x PASSWORD ' || quote_literal('hunter2;'); SELECT 'a'",
      "EXECUTE 'ALTER ROLE x PASSWORD ***; SELECT 'a'",
    ],
    [
      "EXECUTE format('ALTER ROLE x PASSWORD %L', 'hunter2'); SELECT 'a'",
      "EXECUTE format('ALTER ROLE x PASSWORD ***; SELECT 'a'",
    ],
    ["UPDATE t SET password = crypt('hunter2', gen_salt('bf')); SELECT 'a'", "UPDATE t SET password = ***; SELECT 'a'"],
    // Addresses.
    ['postgres://app:hunter2@db/shop', 'postgres://app:***@db/shop'],
    ['postgres://app:hun@ter2/x@db/shop', 'postgres://app:***@db/shop'],
    ['postgres://app:hun/ter2@db/shop', 'postgres://app:***@db/shop'],
    ['{"url":"postgres://app:hunter2@db/shop","mail":"a@b"}', '{"url":"postgres://app:***@db/shop","mail":"a@b"}'],
    ['postgres://app:hun@ter2@db/shop and a:b@c', 'postgres://app:***@db/shop and a:b@c'],
    ['postgres://app@db/shop?password=hun$ter2&sslmode=require', 'postgres://app@db/shop?password=***&sslmode=require'],
    ['"host=db password=hunter2 user=app"', '"host=db password=*** user=app"'],
    // Texts without passwords.
    ['PASSWORD NULL', 'PASSWORD NULL'],
    ['password = $1', 'password = $1'],
    ["INSERT INTO t (password_hash) VALUES ('x')", "INSERT INTO t (password_hash) VALUES ('x')"],
    ["CREATE TABLE t (password text DEFAULT 'x')", "CREATE TABLE t (password text DEFAULT 'x')"],
    ['column "password" of relation "users"', 'column "password" of relation "users"'],
    ["the password: EACCES 'x'", "the password: EACCES 'x'"],
    ["SELECT 'é😀'", "SELECT 'é😀'"],
  ];
  for (const [text, masked] of table) {
    it(JSON.stringify(text), () => {
      expect(maskPasswords(text)).to.equal(masked);
      expect(maskPasswords(masked), 'masked again').to.equal(masked);
    });
  }

  it('masks any literal completely', () => {
    const part = fc.constantFrom("'", "''", '\\', '$', '$$', '"', ';', '--', '/*', '\n', ' ', '%L', '||', 'é', 'a');
    fc.assert(
      fc.property(
        fc.array(part).map((parts) => parts.join('')),
        fc.constantFrom('', ' ', '\n', ' = ', '/* x */'),
        (body, between) => {
          const literal = `'a${body.replaceAll("'", "''")}hunter2'`;
          expect(maskPasswords(`ALTER ROLE x PASSWORD${between}${literal}`)).to.not.include('hunter2');
        },
      ),
    );
  });

  it('takes linear time for a line of dashes, or anything like a comment, after the word PASSWORD', () => {
    // A backtracking pattern would take exponential time.
    for (const filling of ['-', '- ', '/*', '/**/', ' ', '\n', '=']) {
      const text = `-- the password of\n${filling.repeat(20_000)}\nx 'a'`;
      expect(maskPasswords(text)).to.equal(text);
    }
  });

  it('masks text that is too long to scan', () => {
    const text = `${'password /*'.repeat(20_000)} 'hunter2'`;
    expect(maskPasswords(text)).to.not.include('hunter2');
  });
});

describe('withoutQuoted', () => {
  for (const [message, shown] of [
    ['syntax error at or near "hunter2"', 'syntax error at or near …'],
    ['Syntaxfehler bei »hunter2«', 'Syntaxfehler bei …'],
    ['erreur de syntaxe sur ou près de « hunter2 »', 'erreur de syntaxe sur ou près de …'],
    ['"hunter2"またはその近辺で構文エラー', '…'],
    ['syntax error at end of input', 'syntax error at end of input'],
  ] as const) {
    it(message, () => {
      expect(withoutQuoted(message, "ALTER ROLE x PASSWORD ''")).to.equal(shown);
      expect(withoutQuoted(message, 'SELECT ')).to.equal(message);
    });
  }
});

describe('an error', () => {
  it('contains no password from any server message', () => {
    const address = 'postgres://app:hunter2@db/shop';
    const server = {
      sqlstate: '22P02',
      message: address,
      detail: address,
      hint: address,
      where: 'SQL statement "PASSWORD \'hunter2\'"',
    };
    const error = new MigratorError('MIGRATION_FAILED', address, { server, problems: [address] });
    expect(
      JSON.stringify([error.message, error.summary, error.details, error.with({ version: '1_a' })]),
    ).to.not.include('hunter2');
    expect(error.details.server).to.include({ sqlstate: '22P02', message: 'postgres://app:***@db/shop' });
  });
});
