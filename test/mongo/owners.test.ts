import { describe, expect, inject, it, vi } from 'vitest';
import { BadRecord } from '../../src/store/store.ts';
import { until } from '../real/until.ts';
import { keyRecord, ownerRecord } from '../records.ts';
import { nextId, retentionMs } from '../store-contract/setting.ts';
import { createSetting } from './setting.ts';

/** Two open replicas on one database; what the second one is told of owners is kept. */
async function twoReplicas() {
  const setting = await createSetting(inject('mongoUri'));
  const [writer, reader] = [setting.store(), setting.store()];
  const told: string[] = [];
  reader.feed.subscribe({
    onChange() {},
    onRoleChange() {},
    onOwnerChange: (id) => told.push(id),
    onGap() {},
  });
  await Promise.all([writer.open(), reader.open()]);
  const owners = setting.client.db().collection<{ _id: string }>('owners');
  return { writer, reader, told, owners };
}

describe('owners on several replicas', () => {
  it('every replica is told of an owner that is made, changed, or removed by hand', async () => {
    const { writer, told, owners } = await twoReplicas();
    await writer.putOwner(ownerRecord(), 0);
    await until('told of the new owner', () => told.length === 1);
    await writer.putOwner(ownerRecord({ suspended: true, version: 2 }), 1);
    await until('told of the change', () => told.length === 2);
    await owners.deleteOne({ _id: 'acme' });
    await until('told that it is gone', () => told.length === 3);
    expect(new Set(told)).toEqual(new Set(['acme']));
  });

  it('one replica alone makes an owner, and one alone replaces a version, of many that try at once', async () => {
    const { writer, reader } = await twoReplicas();
    for (const [ifVersion, version] of [
      [0, 1],
      [1, 2],
    ] as const) {
      const tries = Array.from({ length: 20 }, (_, index) =>
        [writer, reader][index % 2]?.putOwner(ownerRecord({ plan: `${index}`, version }), ifVersion),
      );
      const winners = (await Promise.all(tries)).flatMap((commit, index) => (commit ? [`${index}`] : []));
      expect(winners).toHaveLength(1);
      const seen = await Promise.all([writer.getOwner('acme'), reader.getOwner('acme')]);
      expect(seen.map((owner) => owner?.plan)).toEqual([winners[0], winners[0]]);
    }
  });

  it('a replica that finds a request taken by another sees at once the key that it made', async () => {
    const { writer, reader } = await twoReplicas();
    for (let round = 0; round < 20; round++) {
      const requestKey = `request ${round}`;
      const seen = await Promise.all(
        [writer, reader].map(async (store) => {
          const record = keyRecord({ id: nextId(), requestKey });
          const isMade = await store.insertKey(record, retentionMs).catch(() => null);
          return isMade ? record.id : (await store.getKeyByRequest(requestKey))?.id;
        }),
      );
      expect(seen).toEqual([seen[0], seen[0]]);
      expect(seen[0]).toMatch(/^key_/);
    }
  });
});

describe('an owner that cannot be read', () => {
  it('spoils itself alone: it is refused, and a list leaves it out without becoming shorter', async () => {
    const onBadRecord = vi.fn();
    const setting = await createSetting(inject('mongoUri'));
    const store = setting.store({ onBadRecord });
    await store.open();
    for (const id of ['a', 'b', 'c', 'd']) await store.putOwner(ownerRecord({ id }), 0);
    const owners = setting.client.db().collection<{ _id: string }>('owners');
    await owners.updateOne({ _id: 'b' }, { $set: { active_until: '2031-01-01' } });
    await expect(store.getOwner('b')).rejects.toThrow(BadRecord);
    await expect(store.getOwner('b')).rejects.toThrow('of b is not an owner: activeUntil is missing');
    const page = await store.listOwners({ after: null, size: 3 });
    expect(page.map(({ id }) => id)).toEqual(['a', 'c', 'd']);
    expect(onBadRecord).toHaveBeenCalledExactlyOnceWith('b', expect.any(BadRecord));
  });

  it.each([
    ['plan', { plan: 1 }],
    ['activeUntil', { active_until: undefined }],
    ['suspended', { suspended: 'no' }],
    ['createdAt', { created_at: null }],
    ['updatedAt', { updated_at: 1 }],
    ['version', { version: 0 }],
  ])('is none where its %s is not what it should be', async (member, damage) => {
    const setting = await createSetting(inject('mongoUri'));
    const store = setting.store();
    await store.open();
    await store.putOwner(ownerRecord(), 0);
    const owners = setting.client.db().collection<{ _id: string }>('owners');
    const [[name, value] = ['', null]] = Object.entries(damage);
    await owners.updateOne(
      { _id: 'acme' },
      value === undefined ? { $unset: { [name]: 1 } } : { $set: { [name]: value } },
    );
    await expect(store.getOwner('acme')).rejects.toThrow(`not an owner: ${member} is`);
  });
});
