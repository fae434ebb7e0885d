import { describe, expect, it } from 'vitest';
import { createUseNotices, type UseNoticesOptions } from '../../src/events/use-notices.ts';
import type { JournalDraft } from '../../src/journal/journal.ts';
import type { AddressUse } from '../../src/journal/journal-store.ts';
import { createKeyIds, type KeyId, type KeyRecord } from '../../src/keys/key.ts';
import { BadRecord } from '../../src/store/store.ts';
import { keyRecord } from '../records.ts';
import { tally } from '../store-contract/use/usage.ts';

const noon = Date.UTC(2030, 0, 1, 12);

it('asks the store only of uses that it was not asked of lately, in parts that it can answer soon', async () => {
  const { note, key, asked } = setUp();
  const addresses = Array.from({ length: 600 }, (_, at) => `10.0.${at >> 8}.${at & 255}`);
  await note([tally(key, { addresses })]);
  await note([tally(key, { addresses: [...addresses, '192.0.2.1'] })]);
  expect(asked.map(({ length }) => length)).toEqual([500, 100, 1]);
});

it('forgets the uses that are longest ago where there are too many', async () => {
  const { note, key, asked } = setUp({ usesMax: 2 });
  const from = (last: number) => note([tally(key, { addresses: [`192.0.2.${last}`] })]);
  for (const last of [1, 2, 3, 4]) await from(last);
  expect(asked).toHaveLength(4);
  for (const last of [4, 3]) await from(last);
  expect(asked).toHaveLength(4);
  for (const last of [5, 6, 7, 1]) await from(last);
  expect(asked).toHaveLength(8);
});

it('remembers a use that comes again and again, however many others come', async () => {
  const { note, key, asked } = setUp({ usesMax: 10 });
  const others = Array.from({ length: 100 }, () => keyRecord());
  for (const other of others) {
    await note([tally(key, { addresses: ['192.0.2.1'] })]);
    await note([tally(other, { addresses: ['192.0.2.1'] })]);
  }
  expect(asked).toHaveLength(1 + others.length);
});

it('tells keys apart that were made in one millisecond, and addresses that differ in one digit', async () => {
  const { note, asked } = setUp();
  const nextId = createKeyIds(() => noon);
  const keys = Array.from({ length: 5_000 }, nextId);
  const uses = keys.flatMap((id, at) =>
    ['192.0.2.', '2001:db8::'].map((start) =>
      tally({ ...keyRecord(), id }, { addresses: [`${start}${at % 250}`, `${start}${(at % 250) + 1}`] }),
    ),
  );
  await note(uses);
  expect(asked.flat()).toHaveLength(4 * keys.length);
  await note(uses);
  expect(asked.flat()).toHaveLength(4 * keys.length);
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

describe.each([
  ['PermissionDenied', { denied: { permission_denied: 1 } }],
  ['NewAddress', { addresses: ['192.0.2.1'] }],
] as const)('a storm of %s', (action, use) => {
  it('is told of so many keys one by one, and of all others by one notice after a minute', async () => {
    const { note, tellMany, written, store, clock } = setUp({ singlyMax: 3 });
    const keys = Array.from({ length: 5_000 }, () => keyRecord());
    for (let start = 0; start < keys.length; start += 500) {
      await note(keys.slice(start, start + 500).map((key) => tally(key, use)));
    }
    expect([written.length, store.reads, store.writes]).toEqual([3, 3, 1]);
    await tellMany();
    expect(written).toHaveLength(3);
    clock.now = noon + 60_000;
    await tellMany();
    expect(written.slice(3)).toMatchObject([
      {
        ...{ action, target: null, owner: null, address: null },
        after: {
          ...{ keys: 4_997, since: '2030-01-01T12:00:00Z' },
          sample: keys.slice(3, 13).map(({ id }) => id),
        },
      },
    ]);
    await note([tally(keyRecord(), use)]);
    expect(written).toHaveLength(5);
  });

  it('is told once however often the keys come back within the hour', async () => {
    const { note, stop, written } = setUp({ singlyMax: 1 });
    const tallies = Array.from({ length: 10 }, () => tally(keyRecord(), use));
    for (let round = 0; round < 3; round++) await note(tallies);
    await stop(AbortSignal.timeout(30_000));
    expect(written).toHaveLength(2);
    expect(written[1]).toMatchObject({ after: { keys: 9 } });
  });

  it('is told once the store is there again', async () => {
    const { note, tellMany, written, store, clock, errors } = setUp({ singlyMax: 1 });
    await note([keyRecord(), keyRecord()].map((key) => tally(key, use)));
    store.isAway = true;
    clock.now = noon + 60_000;
    await expect(tellMany()).rejects.toThrow('away');
    store.isAway = false;
    await tellMany();
    expect([written.length, errors]).toEqual([2, []]);
  });
});

it('ends when its time is up, though the store does not answer, and says what it did not look at', async () => {
  const { note, stop, key, store, dropped, asked } = setUp();
  const answer = Promise.withResolvers<void>();
  store.before = () => answer.promise;
  void note([tally(key, { addresses: ['192.0.2.1'] })]);
  void note([tally(key, { addresses: ['192.0.2.2'] }), tally(key, { addresses: ['192.0.2.3'] })]);
  await stop(AbortSignal.abort());
  expect([dropped, asked]).toEqual([[expect.any(Number)], []]);
  answer.resolve();
});

it('looks at so many tallies at most, and says how many it passed over', async () => {
  const { note, tellMany, key, dropped, asked } = setUp({ waitingMax: 3 });
  const uses = [1, 2, 3].map((last) => tally(key, { addresses: [`192.0.2.${last}`] }));
  await Promise.all([note(uses), note(uses), note(uses)]);
  await tellMany();
  expect([dropped, asked.length]).toEqual([[6], 1]);
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
  const dropped: number[] = [];
  const clock = { now: noon };
  const store = {
    isAway: false,
    key: key as KeyRecord | null | 'broken',
    reads: 0,
    writes: 0,
    before: async () => {},
    async noteAddresses(uses: readonly AddressUse[]) {
      await store.before();
      if (store.isAway) throw new Error('away');
      asked.push(uses);
      return uses;
    },
    async getKey(id: KeyId) {
      store.reads++;
      if (store.key === 'broken') throw new BadRecord(id, 'name');
      return store.key;
    },
    async appendJournal(drafts: readonly JournalDraft[]) {
      if (store.isAway) throw new Error('away');
      store.writes++;
      written.push(...drafts);
    },
  };
  const notices = createUseNotices(
    {
      store,
      now: () => clock.now,
      onError: (error) => errors.push(error),
      onDropped: (tallies) => dropped.push(tallies),
    },
    options,
  );
  return { ...notices, key, store, asked, written, errors, dropped, clock };
}
