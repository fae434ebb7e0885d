import { describe, expect, inject, it } from 'vitest';
import type { KeyId } from '../../../src/keys/key.ts';
import type { Digest } from '../../../src/keys/secret.ts';
import { createToldOnce } from '../../../src/mongo/feed/told-once.ts';
import { until } from '../../real/until.ts';
import { keyRecord } from '../../records.ts';
import { insertAll, nextId, retentionMs } from '../../store-contract/setting.ts';
import { createSetting, listen } from '../setting.ts';

it('keys that are imported are told once by the replica that takes them in, and their changes all the same', async () => {
  const setting = await createSetting(inject('mongoUri'));
  const [store, other] = [setting.store(), setting.store()];
  const told = listen(store);
  await Promise.all([store.open(), other.open()]);
  const records = Array.from({ length: 120 }, () => {
    const id = nextId();
    return keyRecord({ id, digest: `digest of ${id}` as Digest });
  });
  expect(await store.insertKeys(records, retentionMs)).toEqual([]);
  const times = () => [...new Set(records.map(({ id }) => told.times(id)))];
  // What comes after them in the feed.
  const [marker] = await insertAll(other, [{}]);
  await until('the feed has come so far', () => told.times(marker?.id ?? '') === 1);
  expect(times()).toEqual([1]);
  for (const record of records.slice(0, 3))
    await other.replaceKey({ ...record, disabledAt: 1, version: 2 }, 1, retentionMs);
  await until('told of their changes', () => records.slice(0, 3).every(({ id }) => told.times(id) === 2));
});

it('keys that nobody has heard of are told to nobody, however soon the feed knows of them', async () => {
  const setting = await createSetting(inject('mongoUri'));
  const [store, other] = [setting.store(), setting.store()];
  const [told, toldOther] = [listen(store), listen(other)];
  await Promise.all([store.open(), other.open()]);
  const ids = Array.from({ length: 50 }, nextId);
  for (const id of ids) {
    const record = keyRecord({ id, digest: `digest of ${id}` as Digest });
    await store.insertKey(record, retentionMs, undefined, true);
  }
  const [marker] = await insertAll(other, [{}]);
  await until('both feeds have come so far', () =>
    [told, toldOther].every(({ times }) => times(marker?.id ?? '') === 1),
  );
  expect(ids.map((id) => [told.times(id), toldOther.times(id)])).toEqual(ids.map(() => [0, 1]));
});

describe('a key that was made', () => {
  const [id, digest, another] = ['key_a' as KeyId, 'a' as Digest, 'b' as Digest];

  it('is told once, whichever of the two says so first', () => {
    const { once, heard } = setUp();
    once.made(id, digest);
    once.feed.onChange(id, digest);
    expect(heard).toEqual([[id, digest]]);
    heard.length = 0;
    once.feed.onChange(id, another);
    once.made(id, another);
    expect(heard).toEqual([[id, another]]);
  });

  it('is told again with each change, and where its digest is another', () => {
    const { once, heard } = setUp();
    once.made(id, digest);
    once.feed.onChange(id, null);
    once.feed.onChange(id, another);
    once.feed.onChange(id, digest);
    once.feed.onChange(id, digest);
    once.own.onChange(id, digest);
    expect(heard).toEqual([
      [id, digest],
      [id, null],
      [id, another],
      [id, digest],
      [id, digest],
    ]);
  });

  it('is told by none of the two where nobody has heard of it, and its changes are', () => {
    const { once, heard } = setUp();
    once.makes(id, digest);
    once.feed.onChange(id, digest);
    expect(heard).toEqual([]);
    once.feed.onChange(id, null);
    expect(heard).toEqual([[id, null]]);
  });

  it('is told by the feed that has begun anew, whatever was told before', () => {
    const { once, heard } = setUp();
    once.made(id, digest);
    once.feed.onGap();
    once.feed.onChange(id, digest);
    expect(heard).toEqual([[id, digest], 'gap', [id, digest]]);
  });
});

function setUp() {
  const heard: unknown[] = [];
  const once = createToldOnce({
    onChange: (...told) => void heard.push(told),
    onOwnerChange() {},
    onRoleChange() {},
    onGap: () => void heard.push('gap'),
  });
  return { once, heard };
}
