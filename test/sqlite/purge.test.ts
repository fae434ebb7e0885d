import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createSqliteStore } from '../../src/sqlite/store.ts';
import { usageRetentionMs } from '../../src/store/store.ts';
import { windowGraceMs } from '../../src/store/units.ts';
import { keyRecord } from '../records.ts';
import { nextId, retentionMs, testNow } from '../store-contract/setting.ts';
import { request } from '../store-contract/use/limits.ts';
import { expectOldestRemoved } from '../store-contract/use/request-log.ts';
import { tally } from '../store-contract/use/usage.ts';

it('hours past their retention, and windows long past, are removed', async () => {
  const clock = { now: testNow };
  const reopen = await openedAgain(clock);
  const key = { id: nextId() };
  const store = await reopen();
  await store.recordUsage([
    tally(key, { hour: testNow - 3_600_000, allowed: 1 }),
    tally(key, { hour: testNow, allowed: 2 }),
  ]);
  const window = request({ limit: 1 });
  await store.leaseUnits(window);

  // Somebody whose clock is behind may still ask for a window that has just ended.
  clock.now = window.windowEnd + windowGraceMs(window) - 1;
  expect(await (await reopen()).leaseUnits(window)).toEqual({ granted: 0, leased: 1 });
  clock.now++;
  expect(await (await reopen()).leaseUnits(window)).toEqual({ granted: 1, leased: 1 });

  clock.now = testNow + usageRetentionMs;
  expect(await (await reopen()).getUsage(key.id, 0)).toMatchObject([{ allowed: 2 }]);
  clock.now++;
  expect(await (await reopen()).getUsage(key.id, 0)).toEqual([]);
});

it('the addresses of a key are removed with it', async () => {
  const clock = { now: testNow };
  const reopen = await openedAgain(clock);
  const key = keyRecord({ id: nextId(), expiresAt: testNow });
  const use = (address: string) => [{ key: key.id, address }];
  const store = await reopen();
  await store.insertKey(key, retentionMs);
  await store.noteAddresses(use('192.0.2.1'));
  expect(await store.noteAddresses(use('192.0.2.2'))).toEqual(use('192.0.2.2'));

  clock.now = testNow + retentionMs;
  const later = await reopen();
  // What comes late of a key that is gone is not kept for good.
  expect(await later.noteAddresses([...use('192.0.2.1'), ...use('192.0.2.2')])).toEqual([]);
  await later.insertKey({ ...key, expiresAt: null }, retentionMs);
  expect(await later.noteAddresses(use('192.0.2.3'))).toEqual([]);
  expect(await later.noteAddresses(use('192.0.2.1'))).toEqual(use('192.0.2.1'));
});

it('rows of the request log past their bound are removed, the oldest first, and that is said', async () => {
  const removed: number[] = [];
  const store = createSqliteStore({
    ...{ path: ':memory:', now: () => testNow, requestRowsMax: 100 },
    onRequestsRemoved: (rows) => removed.push(rows),
  });
  await store.open();
  onTestFinished(() => store.close());
  await expectOldestRemoved(store, removed);
});

/** Opens a store on one file, again and again; each time what is past is removed. */
async function openedAgain(clock: { readonly now: number }) {
  const folder = mkdtempSync(join(tmpdir(), 'postern-sqlite-'));
  const path = join(folder, 'postern.db');
  let store = createSqliteStore({ path, now: () => clock.now });
  onTestFinished(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });
  return async () => {
    await store.close();
    store = createSqliteStore({ path, now: () => clock.now });
    await store.open();
    return store;
  };
}
