import { expect, it } from 'vitest';
import { createSqliteStore } from '../../src/sqlite/store.ts';
import { eachCall } from '../../src/telemetry/store-calls.ts';

it('what a Check waits for is told from the same read of an admin call', async () => {
  const called: string[] = [];
  const plain = createSqliteStore({ path: ':memory:', now: Date.now });
  const store = eachCall(plain, (operation, call) => (...args) => {
    called.push(operation);
    return call(...args);
  });
  await store.open();
  await store.findKey([], 'check');
  await store.findKey([]);
  await store.getOwner('acme', 'check');
  await store.getOwner('acme');
  await store.getRole('reader', 'check');
  await store.getRole('reader');
  await store.close();
  expect(called).toEqual([
    'open',
    ...['find_key', 'find_key_admin', 'get_owner', 'get_owner_admin', 'get_role', 'get_role_admin'],
  ]);
});
