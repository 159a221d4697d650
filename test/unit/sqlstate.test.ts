import { expect } from 'chai';
import pg from 'pg';

import { MigratorError, type ErrorCode } from '../../src/core/errors.ts';
import { codeForSqlstate, serverErrorOf } from '../../src/adapters/postgres/wire/sqlstate.ts';

const NOTHING = undefined;

/** SQLSTATE, its code before the first step, its code inside a step. */
const TABLE: readonly (readonly [string, ErrorCode | undefined, ErrorCode | undefined])[] = [
  ['08006', 'DATABASE_UNAVAILABLE', 'DATABASE_UNAVAILABLE'],
  ['53300', 'DATABASE_UNAVAILABLE', 'DATABASE_UNAVAILABLE'],
  ['57P01', 'DATABASE_UNAVAILABLE', 'DATABASE_UNAVAILABLE'],
  ['57P03', 'DATABASE_UNAVAILABLE', 'DATABASE_UNAVAILABLE'],
  ['57P05', 'DATABASE_UNAVAILABLE', 'DATABASE_UNAVAILABLE'],
  ['58030', 'DATABASE_UNAVAILABLE', 'DATABASE_UNAVAILABLE'],
  ['25006', 'DATABASE_UNAVAILABLE', 'DATABASE_UNAVAILABLE'],
  ['55P03', 'CONTENTION', 'CONTENTION'],
  ['40P01', 'CONTENTION', 'CONTENTION'],
  ['40001', 'CONTENTION', 'CONTENTION'],
  ['57014', 'CONTENTION', 'CONTENTION'],
  ['28000', 'ACCESS_REFUSED', NOTHING],
  ['28P01', 'ACCESS_REFUSED', NOTHING],
  ['3D000', 'ACCESS_REFUSED', NOTHING],
  ['42501', 'ACCESS_REFUSED', NOTHING],
  ['25001', NOTHING, NOTHING],
  ['42601', NOTHING, NOTHING],
  ['42P01', NOTHING, NOTHING],
  ['55000', NOTHING, NOTHING],
  ['57000', NOTHING, NOTHING],
];

describe('codeForSqlstate', () => {
  for (const [sqlstate, before, inside] of TABLE) {
    it(`${sqlstate} is ${before ?? 'nothing'} before the steps and ${inside ?? 'nothing'} in one`, () => {
      expect(codeForSqlstate(sqlstate, 'before-steps')).to.equal(before);
      expect(codeForSqlstate(sqlstate, 'in-step')).to.equal(inside);
    });
  }
});

describe('serverErrorOf', () => {
  const fromDriver = Object.assign(new pg.DatabaseError('relation "x" does not exist', 0, 'error'), {
    severity: 'ERROR',
    code: '42P01',
    hint: 'a hint',
  });
  const server = {
    sqlstate: '42P01',
    message: 'relation "x" does not exist',
    detail: undefined,
    hint: 'a hint',
    where: undefined,
  };

  it('reads a driver error', () => {
    expect(serverErrorOf(fromDriver)).to.deep.equal(server);
  });

  it('recognizes a driver error by its shape, because a pool may use another copy of the driver', () => {
    const { code, severity, hint } = fromDriver;
    expect(serverErrorOf(Object.assign(new Error(fromDriver.message), { code, severity, hint }))).to.deep.equal(server);
  });

  it('finds a driver error inside a MigratorError', () => {
    expect(serverErrorOf(new MigratorError('MIGRATION_FAILED', 'failed', { server }))).to.deep.equal(server);
  });

  it('accepts no other error as a server error', () => {
    expect(serverErrorOf(Object.assign(new Error('write EPIPE'), { code: 'EPIPE', syscall: 'write' }))).to.equal(
      undefined,
    );
    expect(serverErrorOf(new MigratorError('LOCK_TIMEOUT', 'held'))).to.equal(undefined);
    expect(serverErrorOf('42P01')).to.equal(undefined);
  });
});
