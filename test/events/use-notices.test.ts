import { expect, it } from 'vitest';
import { createUseNotices, type UseNoticesOptions } from '../../src/events/use-notices.ts';
import type { JournalDraft } from '../../src/journal/journal.ts';
import type { AddressUse } from '../../src/journal/journal-store.ts';
import type { KeyId, KeyRecord } from '../../src/keys/key.ts';
import { BadRecord } from '../../src/store/store.ts';
import { keyRecord } from '../records.ts';
import { tally } from '../store-contract/usage.ts';

it('asks the store only of uses that it was not asked of lately, in parts that it can answer soon', async () => {
  const { note, key, asked } = setUp();
  const addresses = Array.from({ length: 600 }, (_, at) => `10.0.${at >> 8}.${at & 255}`);
  await note([tally(key, { addresses })]);
  await note([tally(key, { addresses: [...addresses, '192.0.2.1'] })]);
  expect(asked.map(({ length }) => length)).toEqual([500, 100, 1]);
});

it('forgets the uses that are longest ago where there are too many', async () => {
  const { note, key, asked } = setUp({ knownMax: 2 });
  const from = (last: number) => note([tally(key, { addresses: [`192.0.2.${last}`] })]);
  for (const last of [1, 2, 3, 4]) await from(last);
  for (const last of [1, 3, 4]) await from(last);
  expect(asked).toHaveLength(4);
  await from(2);
  expect(asked).toHaveLength(5);
});

it('forgets the addresses of keys that were not used lately where there are too many', async () => {
  const { note, asked } = setUp({ keysMax: 2 });
  const keys = [keyRecord(), keyRecord(), keyRecord()];
  const use = (at: number) => note([tally(keys[at] ?? keyRecord(), { addresses: ['192.0.2.1'] })]);
  for (const at of [0, 1, 1, 0]) await use(at);
  expect(asked).toHaveLength(2);
  for (const at of [2, 0, 1]) await use(at);
  expect(asked.length).toBeGreaterThan(3);
});

it('tells of errors and looks again at the next use', async () => {
  const { note, key, store, errors, written } = setUp();
  const use = tally(key, { addresses: ['192.0.2.1'], denied: { permission_denied: 1 } });
  store.isAway = true;
  await note([use]);
  expect([errors.length, written.length]).toEqual([1, 0]);
  store.isAway = false;
  await note([use]);
  expect(written.map(({ action }) => action)).toEqual(['NewAddress', 'PermissionDenied']);
});

it('leaves out keys that are gone or broken', async () => {
  const { note, key, store, errors, written } = setUp();
  store.key = null;
  await note([tally(key, { addresses: ['192.0.2.1'] })]);
  store.key = 'broken';
  await note([tally(key, { addresses: ['192.0.2.2'] })]);
  expect([errors, written]).toEqual([[], []]);
});

function setUp(options: UseNoticesOptions = {}) {
  const key = keyRecord();
  const asked: (readonly AddressUse[])[] = [];
  const written: JournalDraft[] = [];
  const errors: unknown[] = [];
  const store = {
    isAway: false,
    key: key as KeyRecord | null | 'broken',
    async noteAddresses(uses: readonly AddressUse[]) {
      if (store.isAway) throw new Error('away');
      asked.push(uses);
      return uses;
    },
    async getKey(id: KeyId) {
      if (store.key === 'broken') throw new BadRecord(id, 'name');
      return store.key;
    },
    async appendJournal(drafts: readonly JournalDraft[]) {
      written.push(...drafts);
    },
  };
  const note = createUseNotices({ store, onError: (error) => errors.push(error) }, options);
  return { note, key, store, asked, written, errors };
}
