import { describe, expect, it } from 'vitest';
import { createVolumeNotices, type VolumeNoticesOptions } from '../../src/events/volume-notices.ts';
import type { JournalDraft } from '../../src/journal/journal.ts';
import type { KeyId, KeyRecord } from '../../src/keys/key.ts';
import { BadRecord } from '../../src/store/store.ts';
import { type CountedUse, countedKeysMax, requestsOf } from '../../src/store/usage/usage-store.ts';
import type { UsageTally } from '../../src/store/usage/usage-tally.ts';
import { keyRecord } from '../records.ts';
import { tally } from '../store-contract/use/usage.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const noon = Date.UTC(2030, 0, 10, 12);

describe('an hour of unusual volume', () => {
  it('is one of more than ten times the most of the same hour in the 7 days before', async () => {
    const { use, look, written, key } = setUp();
    for (const [day, requests] of [20, 31, 7].entries()) use(noon - (day + 1) * dayMs, requests);
    use(noon, 310);
    await look();
    expect(written).toEqual([]);
    use(noon, 1);
    await look();
    expect(written).toMatchObject([
      {
        ...{ kind: 'notice', action: 'UnusualVolume', target: key.id, owner: key.owner, actor: null },
        after: {
          ...{ name: key.name, hour: '2030-01-10T12:00:00Z', requests: 311 },
          ...{ most_before: 31, days_known: 3 },
        },
      },
    ]);
  });

  it('is not told of with 100 requests or fewer, nor where the hour is known of fewer than 3 days', async () => {
    const few = setUp();
    for (const day of [1, 2, 3, 4]) few.use(noon - day * dayMs, 1);
    few.use(noon, 100);
    await few.look();
    expect(few.asked).toEqual([]);
    few.use(noon, 1);
    await few.look();
    expect(few.written).toHaveLength(1);

    const young = setUp();
    for (const day of [1, 2]) young.use(noon - day * dayMs, 1);
    // Neither another hour nor the eighth day before makes it known.
    young.use(noon - 8 * dayMs, 1);
    for (const day of [1, 2, 3, 4]) young.use(noon - day * dayMs - hourMs, 1);
    young.use(noon, 100_000);
    await young.look();
    expect(young.written).toEqual([]);
  });

  it('counts what was denied and what was only observed, too', async () => {
    const { use, note, look, written, key } = setUp();
    for (const day of [1, 2, 3]) use(noon - day * dayMs, 9);
    note([tally(key, { hour: noon, allowed: 40, denied: { rate_limited: 40 }, observed: { expired: 20 } })]);
    await look();
    expect(written).toEqual([]);
    note([tally(key, { hour: noon, denied: { permission_denied: 1 } })]);
    await look();
    expect(written).toMatchObject([{ after: { requests: 101 } }]);
  });

  it('is told once a day, however long it lasts, and again on the next', async () => {
    const { use, look, written } = setUp();
    for (let hour = 0; hour < 24 * 4; hour++) use(noon - 4 * dayMs + hour * hourMs, 10);
    for (let hour = 0; hour < 24; hour++) {
      use(noon + hour * hourMs, 500);
      use(noon + hour * hourMs, 500);
      await look();
    }
    expect(written.map(({ after }) => after)).toMatchObject([
      { hour: '2030-01-10T12:00:00Z' },
      { hour: '2030-01-11T00:00:00Z' },
    ]);
    // Another process that did not see it come would write the same: the journal takes a name once.
    expect(written.map(({ once }) => once?.replace(/key_\w+/, 'KEY'))).toEqual([
      'volume KEY 21924',
      'volume KEY 21925',
    ]);
  });

  it('of an hour that has just ended is told, and what came later than that is let be', async () => {
    const { use, look, written } = setUp();
    for (const day of [1, 2, 3]) use(noon - day * dayMs, 10);
    use(noon + hourMs, 1);
    use(noon, 150);
    await look();
    expect(written).toHaveLength(1);
    use(noon + 3 * hourMs, 1);
    use(noon, 1);
    await look();
    expect(written).toHaveLength(1);
  });
});

describe('what looking for unusual volume costs', () => {
  it('is one question for each busy key and hour, and another when what was lacking has come', async () => {
    const { use, look, asked, written } = setUp();
    for (const day of [1, 2, 3]) use(noon - day * dayMs, 1_000);
    await look();
    asked.length = 0;
    for (let round = 0; round < 99; round++) {
      use(noon, 101);
      await look();
    }
    expect(asked).toHaveLength(1);
    use(noon, 2);
    await look();
    expect([asked.length, written.length]).toEqual([2, 1]);
    for (let round = 0; round < 10; round++) {
      use(noon, 5_000);
      await look();
    }
    expect(asked).toHaveLength(2);
  });

  it('is nothing for keys that are used seldom, and for many keys one question', async () => {
    const { note, look, asked } = setUp();
    const keys = Array.from({ length: 1_200 }, () => keyRecord());
    note(keys.map((key) => tally(key, { hour: noon, allowed: 90 })));
    await look();
    expect(asked).toEqual([]);
    note(keys.map((key) => tally(key, { hour: noon, allowed: 90 })));
    await look();
    expect(asked).toEqual([countedKeysMax, countedKeysMax, 200]);
  });

  it('of a storm is some entries of the journal, and one for all others', async () => {
    const { note, look, written, clock } = setUp({ singlyMax: 2 });
    const keys = Array.from({ length: 600 }, () => keyRecord());
    for (const day of [1, 2, 3])
      note(keys.map((key) => tally(key, { hour: noon - day * dayMs, allowed: 1 })));
    note(keys.map((key) => tally(key, { hour: noon, allowed: 200 })));
    await look();
    expect(written).toHaveLength(2);
    clock.now += 60_000;
    await look();
    expect(written.slice(2)).toMatchObject([{ target: null, owner: null, after: { keys: 598 } }]);
  });
});

it('looks again at what could not be asked or written', async () => {
  const { use, look, written, store } = setUp();
  for (const day of [1, 2, 3]) use(noon - day * dayMs, 1);
  use(noon, 200);
  for (const part of ['countUse', 'appendJournal'] as const) {
    store.away = part;
    await expect(look()).rejects.toThrow('away');
  }
  store.away = null;
  await look();
  expect(written).toHaveLength(1);
});

it('leaves out keys that are gone or broken', async () => {
  for (const found of [null, 'broken'] as const) {
    const { use, look, written, store } = setUp();
    store.key = found;
    for (const day of [1, 2, 3]) use(noon - day * dayMs, 1);
    use(noon, 200);
    await look();
    expect(written).toEqual([]);
  }
});

it('takes no more keys to look at than it may, and looks at the others with their next use', async () => {
  const { note, look, asked } = setUp({ waitingMax: 10 });
  const tallies = Array.from({ length: 15 }, () => tally(keyRecord(), { hour: noon, allowed: 200 }));
  note(tallies);
  await look();
  note(tallies);
  await look();
  expect(asked).toEqual([10, 5]);
});

function setUp(options: VolumeNoticesOptions = {}) {
  const key = keyRecord();
  const counts = new Map<string, CountedUse>();
  const asked: number[] = [];
  const written: JournalDraft[] = [];
  const clock = { now: noon };
  const store = {
    away: null as 'countUse' | 'appendJournal' | null,
    key: undefined as KeyRecord | null | 'broken' | undefined,
    async countUse(keys: readonly KeyId[], hours: readonly number[]) {
      if (store.away === 'countUse') throw new Error('away');
      asked.push(keys.length);
      return keys.flatMap((one) => hours.flatMap((hour) => counts.get(`${one} ${hour}`) ?? []));
    },
    async getKey(id: KeyId) {
      if (store.key === 'broken') throw new BadRecord(id, 'name');
      return store.key === undefined ? { ...key, id } : store.key;
    },
    async appendJournal(drafts: readonly JournalDraft[]) {
      if (store.away === 'appendJournal') throw new Error('away');
      written.push(...drafts);
    },
  };
  const notices = createVolumeNotices({ store, now: () => clock.now }, options);
  /** As a store does: it counts, and tells. */
  const note = (tallies: readonly UsageTally[]) => {
    for (const one of tallies) {
      const name = `${one.key} ${one.hour}`;
      const requests = (counts.get(name)?.requests ?? 0) + requestsOf(one);
      counts.set(name, { key: one.key, hour: one.hour, requests });
    }
    notices.note(tallies);
  };
  const use = (hour: number, allowed: number) => note([tally(key, { hour, allowed })]);
  return { key, store, written, asked, clock, note, use, look: notices.look };
}
