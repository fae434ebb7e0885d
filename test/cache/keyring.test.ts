import { describe, expect, it } from 'vitest';
import { createKeyring, type KeyringOptions } from '../../src/cache/keyring.ts';
import { createMissBudget, type MissBudget } from '../../src/cache/miss-budget.ts';
import type { CheckedKey, KeyRecord } from '../../src/keys/key.ts';
import type { OwnerRecord } from '../../src/keys/owner.ts';
import { createDigester, type Digest } from '../../src/keys/secret.ts';
import type { FeedSubscriber } from '../../src/store/feed/feed.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { digestOf, keyRecord, ownerRecord } from '../records.ts';

describe('keyring', () => {
  it("answers from memory what it has loaded, a key that is nobody's included", async () => {
    const { keyring, reads, record } = setUp();
    expect(keyring.peek(record.digest)).toBeUndefined();
    await loaded(keyring, reads, record.digest, record);
    await loaded(keyring, reads, digestOf('nobody'), null);
    expect(seen(keyring.peek(record.digest))).toEqual(seen(record));
    expect(keyring.peek(digestOf('nobody'))).toBeNull();
  });

  it('lets the use of a key be counted beside it while it is held, and of no other', async () => {
    const { keyring, reads, record, fresh } = setUp();
    fresh.value = false;
    const passing = keyring.load(record.digest, [record.digest], '');
    reads.at(-1)?.resolve(record);
    expect((await passing)?.uses).toBeUndefined();
    fresh.value = true;
    await loaded(keyring, reads, record.digest, record);
    const held = keyring.peek(record.digest);
    expect(held?.uses).toBe(0);
    if (held != null) held.uses = 3;
    await loaded(keyring, reads, digestOf('the same key under another pepper'), record);
    expect(keyring.peek(record.digest)?.uses).toBe(3);
  });

  it('asks the store once for however many wait for one key', async () => {
    const { keyring, reads, record } = setUp();
    const waiting = Array.from({ length: 50 }, () => keyring.load(record.digest, [record.digest], ''));
    expect(reads).toHaveLength(1);
    reads[0]?.resolve(record);
    const answers = new Set(await Promise.all(waiting));
    expect([...answers].map(seen)).toEqual([seen(record)]);
  });

  it('forgets a key by its id when it changes, and every digest that it was found by', async () => {
    const { keyring, reads, record, feed } = setUp();
    const other = digestOf('the same key under another pepper');
    await loaded(keyring, reads, record.digest, record);
    await loaded(keyring, reads, other, record);
    feed.onChange(record.id, null);
    expect(keyring.peek(record.digest)).toBeUndefined();
    expect(keyring.peek(other)).toBeUndefined();
  });

  it("forgets that a digest is nobody's when its key is made", async () => {
    const { keyring, reads, record, feed } = setUp();
    await loaded(keyring, reads, record.digest, null);
    await loaded(keyring, reads, digestOf('nobody'), null);
    feed.onChange(record.id, record.digest);
    expect(keyring.peek(record.digest)).toBeUndefined();
    expect(keyring.peek(digestOf('nobody'))).toBeNull();
  });

  it('forgets every miss when a key is made under another pepper than its own', async () => {
    const { keyring, reads, record, feed } = setUp();
    const peppered = createDigester([{ id: 'p1', key: Buffer.alloc(32) }]);
    await loaded(keyring, reads, peppered.sign('one'), null);
    feed.onChange(record.id, record.digest);
    expect(keyring.peek(peppered.sign('one'))).toBeUndefined();
  });

  it('reads again when the key changed during the read, and keeps only what it read last', async () => {
    const { keyring, reads, record, feed } = setUp();
    const revoked = { ...record, revokedAt: 1, version: 2 };
    const answer = keyring.load(record.digest, [record.digest], '');
    feed.onChange(record.id, null);
    reads[0]?.resolve(record);
    await turn();
    expect(reads).toHaveLength(2);
    reads[1]?.resolve(revoked);
    expect(seen(await answer)).toEqual(seen(revoked));
    expect(seen(keyring.peek(record.digest))).toEqual(seen(revoked));
  });

  it('reads again when the key was made during a read that did not find it', async () => {
    const { keyring, reads, record, feed } = setUp();
    const answer = keyring.load(record.digest, [record.digest], '');
    feed.onChange(record.id, record.digest);
    reads[0]?.resolve(null);
    await turn();
    reads[1]?.resolve(record);
    expect(seen(await answer)).toEqual(seen(record));
  });

  it('reads once however many other keys change meanwhile', async () => {
    const { keyring, reads, record, feed } = setUp();
    const answer = keyring.load(record.digest, [record.digest], '');
    for (let other = 0; other < 1_000; other++) feed.onChange(keyRecord().id, null);
    reads[0]?.resolve(record);
    expect(seen(await answer)).toEqual(seen(record));
    expect(reads).toHaveLength(1);
    expect(seen(keyring.peek(record.digest))).toEqual(seen(record));
  });

  it('gives up on a key that changes faster than it can be read, as the store not being there', async () => {
    const { keyring, reads, record, feed } = setUp();
    const answer = keyring.load(record.digest, [record.digest], '');
    const refusal = expect(answer).rejects.toBeInstanceOf(StoreUnavailable);
    for (let tries = 0; tries < 3; tries++) {
      feed.onChange(record.id, null);
      reads[tries]?.resolve(record);
      await turn();
    }
    await refusal;
    expect(keyring.peek(record.digest)).toBeUndefined();
  });

  it('forgets everything at a gap in the feed, reads under way included', async () => {
    const { keyring, reads, record, feed } = setUp();
    const other = keyRecord();
    await loaded(keyring, reads, other.digest, other);
    await loaded(keyring, reads, digestOf('nobody'), null);
    const answer = keyring.load(record.digest, [record.digest], '');
    feed.onGap();
    expect(keyring.peek(other.digest)).toBeUndefined();
    expect(keyring.peek(digestOf('nobody'))).toBeUndefined();
    const before = reads.length;
    reads.at(-1)?.resolve(record);
    await turn();
    expect(reads).toHaveLength(before + 1);
    reads.at(-1)?.resolve(null);
    expect(await answer).toBeNull();
  });

  it('answers nothing from memory, and keeps nothing, while the feed is not fresh', async () => {
    const { keyring, reads, record, fresh } = setUp();
    await loaded(keyring, reads, record.digest, record);
    fresh.value = false;
    expect(keyring.peek(record.digest)).toBeUndefined();
    const other = keyRecord();
    await loaded(keyring, reads, other.digest, other);
    fresh.value = true;
    expect(keyring.peek(other.digest)).toBeUndefined();
    expect(seen(keyring.peek(record.digest))).toEqual(seen(record));
  });

  it('lets nobody share a read that began before they asked while the feed is not fresh, but makes one for all of them', async () => {
    const { keyring, reads, record, fresh } = setUp();
    fresh.value = false;
    const first = keyring.load(record.digest, [record.digest], '');
    const later = Array.from({ length: 20 }, () => keyring.load(record.digest, [record.digest], ''));
    reads[0]?.resolve(record);
    await turn();
    expect(reads).toHaveLength(2);
    const revoked = { ...record, revokedAt: 1 };
    reads[1]?.resolve(revoked);
    expect(seen(await first)).toEqual(seen(record));
    const answers = new Set(await Promise.all(later));
    expect([...answers].map(seen)).toEqual([seen(revoked)]);
  });

  it('reads again for those who joined when the feed stopped being fresh meanwhile', async () => {
    const { keyring, reads, record, fresh } = setUp();
    void keyring.load(record.digest, [record.digest], '');
    const joined = keyring.load(record.digest, [record.digest], '');
    fresh.value = false;
    reads[0]?.resolve(record);
    await turn();
    reads[1]?.resolve(null);
    expect(await joined).toBeNull();
  });

  it('pushes out no key under a flood of misses', async () => {
    const { keyring, reads, record } = setUp({ keysMax: 2, missesMax: 5 });
    await loaded(keyring, reads, record.digest, record);
    for (let flood = 0; flood < 100; flood++) await loaded(keyring, reads, digestOf(`flood ${flood}`), null);
    expect(seen(keyring.peek(record.digest))).toEqual(seen(record));
    expect(keyring.size()).toEqual({ keys: 1, misses: 5, owners: 0, reads: 0 });
  });

  it('pushes out the keys that were not asked for longest, and forgets them by id too', async () => {
    const { keyring, reads, feed } = setUp({ keysMax: 2 });
    const [one, two, three] = [keyRecord(), keyRecord(), keyRecord()];
    for (const key of [one, two, three]) await loaded(keyring, reads, key.digest, key);
    expect(keyring.peek(one.digest)).toBeUndefined();
    feed.onChange(one.id, null);
    expect(seen(keyring.peek(two.digest))).toEqual(seen(two));
    expect(seen(keyring.peek(three.digest))).toEqual(seen(three));
  });

  it('denies reads past its bound as the store not being there', async () => {
    const { keyring, record } = setUp({ readsMax: 1 });
    void keyring.load(record.digest, [record.digest], '');
    const other = digestOf('one too many');
    await expect(keyring.load(other, [other], '')).rejects.toBeInstanceOf(StoreUnavailable);
  });

  it('reads no more unknown keys than the budget allows, and answers what it knows all the same', async () => {
    const missBudget = createMissBudget(() => 0, { readsPerSecond: 10 });
    const { keyring, reads, record } = setUp({}, missBudget);
    await loaded(keyring, reads, record.digest, record);
    for (let flood = 0; flood < 10; flood++) await loaded(keyring, reads, digestOf(`flood ${flood}`), null);
    const other = keyRecord();
    await expect(keyring.load(other.digest, [other.digest], '')).rejects.toBeInstanceOf(StoreUnavailable);
    expect(reads).toHaveLength(11);
    expect(seen(keyring.peek(record.digest))).toEqual(seen(record));
    expect(keyring.peek(digestOf('flood 3'))).toBeNull();
    const answer = keyring.load(other.digest, [other.digest], '192.0.2.1');
    reads.at(-1)?.resolve(other);
    expect(seen(await answer)).toEqual(seen(other));
  });

  it('tells everyone who waits when the store is not there, and keeps nothing of it', async () => {
    const { keyring, reads, record } = setUp();
    const waiting = [
      keyring.load(record.digest, [record.digest], ''),
      keyring.load(record.digest, [record.digest], ''),
    ];
    reads[0]?.reject(new StoreUnavailable('away'));
    for (const answer of await Promise.allSettled(waiting)) expect(answer.status).toBe('rejected');
    expect(keyring.peek(record.digest)).toBeUndefined();
    await loaded(keyring, reads, record.digest, record);
    expect(seen(keyring.peek(record.digest))).toEqual(seen(record));
  });

  it('remembers owners, those that nobody has put too, until they are put', async () => {
    const { keyring, ownerReads, feed } = setUp();
    const nobody = keyring.loadOwner('acme');
    ownerReads[0]?.resolve(null);
    expect(await nobody).toBeNull();
    expect(keyring.peekOwner('acme')).toBeNull();
    feed.onOwnerChange('acme');
    expect(keyring.peekOwner('acme')).toBeUndefined();
  });

  it('reads an owner again that was put during the read', async () => {
    const { keyring, ownerReads, feed } = setUp();
    const owner = ownerRecord({ suspended: true });
    const answer = keyring.loadOwner('acme');
    feed.onOwnerChange('acme');
    ownerReads[0]?.resolve(null);
    await turn();
    ownerReads[1]?.resolve(owner);
    expect(await answer).toBe(owner);
    expect(keyring.peekOwner('acme')).toBe(owner);
  });
});

function setUp(
  options: Partial<KeyringOptions> = {},
  missBudget: MissBudget = { read: (_, find) => find() },
) {
  const reads: PromiseWithResolvers<KeyRecord | null>[] = [];
  const ownerReads: (PromiseWithResolvers<OwnerRecord | null> & { id: string })[] = [];
  const fresh = { value: true };
  const subscribers: FeedSubscriber[] = [];
  const keyring = createKeyring(
    {
      store: {
        findKey() {
          const read = Promise.withResolvers<KeyRecord | null>();
          reads.push(read);
          return read.promise;
        },
        getRole: async () => null,
        getOwner(id) {
          const read = Promise.withResolvers<OwnerRecord | null>();
          ownerReads.push({ id, ...read });
          return read.promise;
        },
      },
      feed: { subscribe: (given) => subscribers.push(given), isFresh: () => fresh.value },
      missBudget,
    },
    { keysMax: 100, missesMax: 100, ownersMax: 100, readsMax: 100, ...options },
  );
  const [feed] = subscribers;
  if (feed === undefined) throw new Error('the keyring did not subscribe');
  return { keyring, reads, ownerReads, fresh, feed, record: keyRecord() };
}

async function loaded(
  keyring: ReturnType<typeof createKeyring>,
  reads: PromiseWithResolvers<KeyRecord | null>[],
  digest: Digest,
  record: KeyRecord | null,
): Promise<void> {
  const answer = keyring.load(digest, [digest], '');
  reads.at(-1)?.resolve(record);
  await answer;
}

/** All that memory promises of a key. */
function seen(key: CheckedKey | null | undefined) {
  if (key == null) return key;
  const { id, name, scheme, environment, owner, permissions, ipAllowlist, plan, rateLimits, labels } = key;
  const { expiresAt, disabledAt, revokedAt, spender, version } = key;
  return {
    ...{ id, name, scheme, environment, owner, permissions, ipAllowlist, plan, rateLimits, labels },
    ...{ expiresAt, disabledAt, revokedAt, spender, version },
  };
}

/** Lets everything that is ready run. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
