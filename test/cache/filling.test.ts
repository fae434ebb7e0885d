import { expect, it } from 'vitest';
import { createKeyring } from '../../src/cache/keyring.ts';
import type { KeyId } from '../../src/keys/key.ts';
import { createDigester } from '../../src/keys/secret.ts';
import type { FeedSubscriber } from '../../src/store/feed/feed.ts';
import type { KeyPage } from '../../src/store/records/key-pages.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { digestOf, keyRecord } from '../records.ts';

const nobodys = digestOf('nobody');

it('knows every key without a read of its own once all pages are there, and which digests are nobody’s', async () => {
  const { keyring, pages, counted, next } = setUp();
  const [one, two] = [keyRecord(), keyRecord()];
  keyring.startFilling();
  await next([one], two.id);
  expect(keyring.peek(one.digest)?.id).toBe(one.id);
  expect(keyring.peek(two.digest)).toBeUndefined();
  expect(keyring.peek(nobodys)).toBeUndefined();
  expect(pages.at(-1)?.before).toBe(two.id);
  await next([two], null);
  expect(keyring.peek(two.digest)?.id).toBe(two.id);
  expect(keyring.peek(two.digest)?.uses).toBe(0);
  expect(keyring.peek(nobodys)).toBeNull();
  expect(counted()).toBe(0);
});

it('leaves out of a page what changed while it was read, and asks for that when it is asked for', async () => {
  const { keyring, feed, next, findable, counted } = setUp();
  const [before, other] = [keyRecord(), keyRecord()];
  keyring.startFilling();
  const revoked = { ...before, revokedAt: 1, version: 2 };
  feed().onChange(before.id, before.digest);
  await next([before, other], null);
  expect(keyring.peek(before.digest)).toBeUndefined();
  expect(keyring.peek(other.digest)?.id).toBe(other.id);
  findable.set(before.digest, revoked);
  expect((await keyring.load(before.digest, [before.digest], ''))?.revokedAt).toBe(1);
  expect(keyring.peek(before.digest)?.revokedAt).toBe(1);
  expect(counted()).toBe(1);
});

it('leaves what a Check has read by itself, with what was counted beside it', async () => {
  const { keyring, next, findable } = setUp();
  const key = keyRecord();
  keyring.startFilling();
  findable.set(key.digest, key);
  await keyring.load(key.digest, [key.digest], '');
  const read = keyring.peek(key.digest);
  if (read != null) read.uses = 3;
  await next([key], null);
  expect(keyring.peek(key.digest)?.uses).toBe(3);
});

it('says of no key that was made or changed since that it is nobody’s, and does of one that was removed', async () => {
  const { keyring, feed, next } = setUp();
  const [changed, removed, made] = [keyRecord(), keyRecord(), keyRecord()];
  keyring.startFilling();
  await next([changed, removed], null);
  feed().onChange(changed.id, changed.digest);
  feed().onChange(made.id, made.digest);
  feed().onChange(removed.id, null);
  expect(keyring.peek(changed.digest)).toBeUndefined();
  expect(keyring.peek(made.digest)).toBeUndefined();
  expect(keyring.peek(removed.digest)).toBeNull();
});

it('asks the store for a key whose record could not be read', async () => {
  const { keyring, next } = setUp();
  const bad = keyRecord();
  keyring.startFilling();
  await next([], null, [bad.digest]);
  expect(keyring.peek(bad.digest)).toBeUndefined();
  expect(keyring.peek(nobodys)).toBeNull();
});

it('fills no more than there is room for, pushes nothing out, and then knows nothing of others', async () => {
  const { keyring, pages, next } = setUp(2);
  const keys = [keyRecord(), keyRecord(), keyRecord()];
  keyring.startFilling();
  await next(keys, keyRecord().id);
  expect(pages).toHaveLength(1);
  expect(keys.map(({ digest }) => keyring.peek(digest)?.id)).toEqual([keys[0]?.id, keys[1]?.id, undefined]);
  expect(keyring.peek(nobodys)).toBeUndefined();
});

it('knows all no more once a key had to make room for another', async () => {
  const { keyring, next, findable, feed } = setUp(1);
  const [one, two] = [keyRecord(), keyRecord()];
  keyring.startFilling();
  await next([one], null);
  expect(keyring.peek(nobodys)).toBeNull();
  feed().onChange(two.id, two.digest);
  findable.set(two.digest, two);
  await keyring.load(two.digest, [two.digest], '');
  expect(keyring.peek(nobodys)).toBeUndefined();
  expect(keyring.peek(one.digest)).toBeUndefined();
});

it('begins anew at a gap, and believes no page of before', async () => {
  const { keyring, pages, feed, next } = setUp();
  const [before, after] = [keyRecord(), keyRecord()];
  keyring.startFilling();
  feed().onGap();
  await next([before], null, [], 0);
  expect(keyring.peek(before.digest)).toBeUndefined();
  expect(keyring.peek(nobodys)).toBeUndefined();
  expect(pages).toHaveLength(2);
  await next([after], null, [], 1);
  expect(keyring.peek(before.digest)).toBeNull();
  expect(keyring.peek(after.digest)?.id).toBe(after.id);
});

it('reads a page again that failed, or came while memory was not to be trusted', async () => {
  const { keyring, pages, fresh, waits, next } = setUp();
  const key = keyRecord();
  fresh.value = false;
  keyring.startFilling();
  expect(pages).toHaveLength(0);
  fresh.value = true;
  await waits.shift()?.();
  pages[0]?.reject(new StoreUnavailable('away'));
  await turn();
  await waits.shift()?.();
  fresh.value = false;
  await next([key], null);
  fresh.value = true;
  expect(keyring.peek(key.digest)).toBeUndefined();
  await waits.shift()?.();
  await next([key], null);
  expect(pages).toHaveLength(3);
  expect(keyring.peek(key.digest)?.id).toBe(key.id);
  fresh.value = false;
  expect(keyring.peek(nobodys)).toBeUndefined();
});

it('reads all again, a minute later, where more changed than is remembered', async () => {
  const { keyring, pages, feed, waits, next } = setUp();
  keyring.startFilling();
  await next([], null);
  for (let at = 0; at <= 50_000; at++) feed().onChange(`key_${at}` as KeyId, digestOf(`many ${at}`));
  expect(keyring.peek(nobodys)).toBeUndefined();
  expect(pages).toHaveLength(1);
  expect(await waits.shift()?.()).toBe(60_000);
  await next([], null);
  expect(keyring.peek(nobodys)).toBeNull();
});

it('takes a digest for nobody’s only where no pepper would have given it another', async () => {
  const { keyring, next, findable, counted } = setUp();
  const digester = createDigester([{ id: 'p1', key: Buffer.alloc(32) }]);
  const [signed, plain] = digester.candidates('of a key from before there were peppers');
  const key = keyRecord({ digest: plain ?? digestOf('') });
  keyring.startFilling();
  await next([key], null);
  findable.set(key.digest, key);
  const load = (secret: string) => keyring.load(digester.sign(secret), digester.candidates(secret), '');
  expect(keyring.peek(signed ?? digestOf(''))).toBeUndefined();
  expect((await load('of a key from before there were peppers'))?.id).toBe(key.id);
  expect(counted()).toBe(1);
  expect(await load('of nobody')).toBeNull();
  expect(counted()).toBe(1);
});

it('takes a digest for nobody’s only once it has heard of every key that was given to somebody', async () => {
  const { keyring, feed, next, findable, heard, counted } = setUp();
  keyring.startFilling();
  await next([], null);
  heard.isSo = false;
  expect(keyring.peek(nobodys)).toBeUndefined();
  expect(await keyring.load(nobodys, [nobodys], '')).toBeNull();
  expect([heard.asks, counted()]).toEqual([1, 0]);
  expect(await keyring.load(nobodys, [nobodys], '')).toBeNull();
  expect([heard.asks, counted()]).toEqual([1, 0]);

  const made = keyRecord();
  findable.set(made.digest, made);
  heard.isSo = false;
  heard.told = async () => feed().onChange(made.id, made.digest);
  expect((await keyring.load(made.digest, [made.digest], ''))?.id).toBe(made.id);
  expect([heard.asks, counted()]).toEqual([2, 1]);

  heard.isSo = false;
  heard.told = () => Promise.reject(new StoreUnavailable('the service is gone'));
  await expect(keyring.load(nobodys, [nobodys], '')).rejects.toThrow(StoreUnavailable);
});

it('ends when it is told to', async () => {
  const { keyring, pages, next } = setUp();
  keyring.startFilling();
  keyring.stopFilling();
  await next([], null);
  expect(keyring.peek(nobodys)).toBeUndefined();
  expect(pages).toHaveLength(1);
});

function setUp(keysMax = 100) {
  const pages: (PromiseWithResolvers<KeyPage> & { readonly before: KeyId | null })[] = [];
  const findable = new Map<string, ReturnType<typeof keyRecord>>();
  const waits: (() => Promise<number>)[] = [];
  const fresh = { value: true };
  /** What is told while it asks. */
  const heard = { isSo: true, asks: 0, told: async () => {} };
  const subscribers: FeedSubscriber[] = [];
  let reads = 0;
  const keyring = createKeyring(
    {
      store: {
        async findKey(digests) {
          reads++;
          return digests.map((digest) => findable.get(digest)).find((key) => key !== undefined) ?? null;
        },
        getRole: async () => null,
        getOwner: async () => null,
      },
      feed: { subscribe: (given) => subscribers.push(given), isFresh: () => fresh.value },
      missBudget: { read: (_, find) => find() },
      pages: {
        readPage(before) {
          const page = { ...Promise.withResolvers<KeyPage>(), before };
          pages.push(page);
          return page.promise;
        },
        isHeard: () => heard.isSo,
        async hear() {
          heard.asks++;
          await heard.told();
          heard.isSo = true;
        },
        wait(ms) {
          const { promise, resolve } = Promise.withResolvers<void>();
          waits.push(async () => {
            resolve();
            await turn();
            return ms;
          });
          return promise;
        },
      },
    },
    { keysMax, missesMax: 100, ownersMax: 100, readsMax: 100 },
  );
  return {
    ...{ keyring, pages, findable, waits, fresh, heard },
    counted: () => reads,
    feed: () => subscribers[0] as FeedSubscriber,
    /** Answers the latest question, or the one at that place. */
    async next(
      keys: readonly ReturnType<typeof keyRecord>[],
      behind: KeyId | null,
      unreadable: KeyPage['unreadable'] = [],
      at = pages.length - 1,
    ) {
      const stored = keys.map((key) => ({ digest: key.digest, key }));
      pages[at]?.resolve({ keys: stored, unreadable, next: behind });
      await turn();
    },
  };
}

/** Lets everything that is ready run. */
async function turn(): Promise<void> {
  for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => setImmediate(resolve));
}
