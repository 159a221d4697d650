/** Which differences may be the work of pending files: those whose object a file names. */
import { expect } from 'chai';

import { mentions } from '../../src/core/catalog/mentions.ts';

describe('mentions', () => {
  const cases: readonly (readonly [sql: string, object: string, named: boolean])[] = [
    ['CREATE TABLE orders ()', 'table public.orders', true],
    ['create table "Orders" ()', 'table public."Orders"', true],
    ['CREATE TABLE shop.orders ()', 'column id of table shop.orders', false],
    ['ALTER TABLE orders ADD total int', 'column total of table public.orders', true],
    ['CREATE INDEX ON orders (total)', 'index orders_total_idx on table public.orders', true],
    ['CREATE TABLE orders (id serial)', 'sequence public.orders_id_seq', true],
    ['CREATE TABLE order_items ()', 'table public.orders', false],
    ['CREATE TABLE orders ()', 'table public.order_items', false],
    ['CREATE FUNCTION one(int) …', 'function public.one(integer)', true],
    ['CREATE FUNCTION two() …', 'function public.one(integer)', false],
    ['CREATE TABLE größe ()', 'table public."größe"', true],
    ['', 'table public.orders', false],
  ];
  for (const [sql, object, named] of cases) {
    it(`${sql === '' ? 'nothing' : sql} ${named ? 'names' : 'does not name'} ${object}`, () => {
      expect(mentions([sql], object)).to.equal(named);
    });
  }

  it('looks in every file', () => {
    expect(mentions(['SELECT 1', 'DROP INDEX orders_total'], 'index orders_total on table public.orders')).to.equal(
      true,
    );
    expect(mentions([], 'table public.orders')).to.equal(false);
  });
});
