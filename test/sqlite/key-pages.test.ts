import { expect, it } from 'vitest';
import type { KeyId } from '../../src/keys/key.ts';
import type { Digest } from '../../src/keys/secret.ts';
import type { KeyPage } from '../../src/store/records/key-pages.ts';
import type { Store } from '../../src/store/store.ts';
import { keyRecord } from '../records.ts';
import { insertAll, nextId, retentionMs } from '../store-contract/setting.ts';
import { createStoreFile } from './setting.ts';

it('gives all keys in pages, the newest first, and names those whose records cannot be read', async () => {
  const file = createStoreFile();
  const keys = await insertAll(
    await file.open(),
    Array.from({ length: 7 }, () => ({})),
  );
  await file.tamper(`UPDATE keys SET record = '{' WHERE id = '${keys[3]?.id}'`);
  const store = await file.open();
  const pages: KeyPage[] = [];
  let before: KeyId | null = null;
  do {
    const page = await read(store, before);
    pages.push(page);
    before = page.next;
  } while (before !== null);
  expect(pages.map(({ keys: some, unreadable }) => some.length + unreadable.length)).toEqual([3, 3, 1]);
  const readable = keys.toReversed().filter((_, at) => at !== 3);
  expect(pages.flatMap((page) => page.keys.map(({ digest, key }) => [digest, key.id]))).toEqual(
    readable.map(({ digest, id }) => [digest, id]),
  );
  expect(pages.flatMap(({ unreadable }) => unreadable)).toEqual([keys[3]?.digest]);
});

it('tells of a new key though nobody has heard of it: memory may know all others', async () => {
  const file = createStoreFile();
  const store = await file.open();
  const told: [KeyId, Digest | null][] = [];
  store.feed.subscribe({
    onChange: (id, digest) => told.push([id, digest]),
    onOwnerChange() {},
    onRoleChange() {},
    onGap() {},
  });
  const key = keyRecord({ id: nextId() });
  await store.insertKey(key, retentionMs, undefined, true);
  expect(told).toEqual([[key.id, key.digest]]);
});

function read(store: Store, before: KeyId | null): Promise<KeyPage> {
  if (store.feed.readPage === null) throw new Error('there are no pages');
  return store.feed.readPage(before, 3);
}
