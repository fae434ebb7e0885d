import { expect, it } from 'vitest';
import type { Digest } from '../../../src/keys/secret.ts';
import { createBadRecords } from '../../../src/store/records/bad-records.ts';
import { BadRecord, StoreUnavailable } from '../../../src/store/store.ts';
import { keyRecord } from '../../records.ts';

it('a bad record is answered as unavailable, and the store is asked for it again after some seconds', async () => {
  const { reads, store, clock } = setUp();
  for (let check = 0; check < 1_000; check++) {
    await expect(reads.findKey([bad])).rejects.toThrow(StoreUnavailable);
  }
  expect(store.asked).toBe(1);
  clock.now += 5_000;
  await expect(reads.findKey([bad])).rejects.toThrow(StoreUnavailable);
  expect(store.asked).toBe(2);
  store.isMended = true;
  clock.now += 5_000;
  expect(await reads.findKey([bad])).toMatchObject({ name: 'A key' });
});

it('is told once a minute with its id and the member that is wrong, counted, and a finding for an hour', async () => {
  const { records, reads, told, counted, clock } = setUp();
  for (let second = 0; second < 90; second += 5) {
    clock.now = second * 1_000;
    await reads.findKey([bad]).catch(() => {});
  }
  expect(told).toEqual([
    ['key_1', expect.stringContaining('permissions is missing or of the wrong type')],
    ['key_1', expect.stringContaining('permissions is missing or of the wrong type')],
  ]);
  expect(counted.reads).toBe(18);
  expect(records.findings()).toMatchObject([
    { level: 'warning', code: 'store.bad_records', what: expect.stringContaining('key_1') },
  ]);
  clock.now += 3_600_001;
  expect(records.findings()).toEqual([]);
});

it('spoils itself alone, and what else goes wrong stays what it is', async () => {
  const { reads, store } = setUp();
  await reads.findKey([bad]).catch(() => {});
  expect(await reads.findKey(['good' as Digest])).toMatchObject({ name: 'A key' });
  await expect(reads.getOwner('acme')).rejects.toThrow(StoreUnavailable);
  expect(await reads.getOwner('other')).toBeNull();
  store.isBroken = true;
  await expect(reads.findKey(['good' as Digest])).rejects.toThrow('broken');
});

it('keeps of very many bad records the latest', async () => {
  const { records } = setUp();
  for (let at = 0; at < 5_000; at++) records.note(`key_${at}`, new Error('bad'));
  expect(records.findings()).toMatchObject([{ what: expect.stringMatching(/^1000 .*key_4999, …/) }]);
});

const bad = 'bad' as Digest;

function setUp() {
  const clock = { now: 0 };
  const told: [id: string, message: string][] = [];
  const counted = { reads: 0 };
  const store = {
    asked: 0,
    isMended: false,
    isBroken: false,
    async findKey([digest]: readonly Digest[]) {
      store.asked++;
      if (store.isBroken) throw new Error('broken');
      if (digest === bad && !store.isMended) throw new BadRecord('key_1', 'permissions');
      return keyRecord({ name: 'A key' });
    },
    getRole: async () => null,
    async getOwner(id: string) {
      if (id === 'acme') throw new BadRecord(id, 'plan', 'an owner');
      return null;
    },
  };
  const records = createBadRecords({
    monotonic: () => clock.now,
    onMet: (id, { message }) => told.push([id, message]),
    onRead: () => counted.reads++,
  });
  return { records, reads: records.watch(store), store, told, counted, clock };
}
