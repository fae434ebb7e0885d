import { expect, it } from 'vitest';
import type { KeyId } from '../../src/keys/key.ts';
import type { Limit } from '../../src/keys/limit.ts';
import { createCharging } from '../../src/limits/charging.ts';
import type { LimitNews } from '../../src/limits/news.ts';
import { createSqliteStore } from '../../src/sqlite/store.ts';

const noon = Date.UTC(2030, 0, 10, 12);

it('a charge that brings a limit of a period to four fifths is told of, by whatever replica it is made, and no other', async () => {
  const store = createSqliteStore({ path: ':memory:', now: () => noon });
  await store.open();
  const told: LimitNews[] = [];
  const charge = createCharging({
    ...{ store, now: () => noon, onNews: (news) => told.push(news) },
    held: async (windows) => windows.map(() => 0),
    charged: async () => {},
  });
  const key = { spender: 'key_a' as KeyId, owner: 'acme' };
  const spend = async (limit: Limit, units: number, id: string | null = null) => {
    await charge([{ key, owner: null, limit, units }], id === null ? null : { id, body: String(units) });
    return told.splice(0).map(({ kind, limit: { name } }) => `${kind} ${name}`);
  };
  const monthly: Limit = { name: 'monthly', limit: 100, per: 'month', sharedBy: 'owner' };
  const burst: Limit = { name: 'burst', limit: 100, per: 60_000, sharedBy: 'key' };

  expect(await spend(monthly, 79)).toEqual([]);
  expect(await spend(monthly, 1, 'once')).toEqual(['nearly_spent monthly']);
  expect(await spend(monthly, 1, 'once')).toEqual([]);
  expect(await spend(monthly, 500)).toEqual([]);
  expect(await spend(monthly, -600)).toEqual([]);
  expect(await spend(burst, 90)).toEqual([]);
  await store.close();
});
