import { describe, expect, it, onTestFinished } from 'vitest';
import { createUnusedKeys, type UnusedKeysOptions } from '../../src/events/unused-keys.ts';
import type { JournalEntry } from '../../src/journal/journal.ts';
import { type KeyRecord, keyState } from '../../src/keys/key.ts';
import type { Store } from '../../src/store/store.ts';
import { createTestService } from '../service.ts';
import { dayMs, insertAll, listChain, testNow } from '../store-contract/setting.ts';
import { lastUsed, tally } from '../store-contract/use/usage.ts';

const hourMs = 3_600_000;
const minuteMs = 60_000;
const lagMs = 10_000;
const origin = { actor: 'a', action: 'EnableKey', address: null, requestId: null };

/** What becomes of keys that nobody uses, on one kind of store. */
export function describeUnused(name: string, createStore: () => Promise<Store>): void {
  describe(`unused keys on ${name}`, () => {
    tellingCases(createStore);
    disablingCases(createStore);
  });
}

function tellingCases(createStore: () => Promise<Store>): void {
  it('are told of once for each time that they are idle, from their creation and from their latest use', async () => {
    const { store, at, look } = await setting(createStore, { notifyAfterMs: 30 * dayMs });
    const [key] = await insertAll(store, [{ owner: 'acme', createdAt: testNow }]);
    expect(await look(at(30 * dayMs))).toEqual([]);
    expect(await look(at(30 * dayMs + lagMs + minuteMs))).toEqual([key?.id]);
    expect(await look(at(45 * dayMs))).toEqual([key?.id]);
    await use(store, key, testNow + 50 * dayMs);
    expect(await look(at(79 * dayMs))).toEqual([key?.id]);
    expect(await look(at(81 * dayMs))).toEqual([key?.id, key?.id]);
    const told = await notices(store);
    const since = '2040-02-20T00:00:00Z';
    expect(told[1]).toMatchObject({
      ...{ action: 'KeyUnused', actor: null, owner: 'acme', outcome: 'ok' },
      after: { name: 'A key', last_used_at: since, idle_since: since, disabled_from: null },
    });
    expect(told[0]?.after).toMatchObject({ last_used_at: null, idle_since: '2040-01-01T00:00:00Z' });
  });

  it('are told of by their latest use in an hour in which they were used before, and not by an earlier one', async () => {
    const { store, at, look } = await setting(createStore, { notifyAfterMs: dayMs });
    const keys = await insertAll(store, [{}, {}]);
    for (const key of keys) await use(store, key, testNow + minuteMs);
    await look(at(dayMs));
    await use(store, keys[0], testNow + 50 * minuteMs);
    expect(await look(at(dayMs + 20 * minuteMs))).toEqual([keys[1]?.id]);
    expect(await look(at(dayMs + 40 * minuteMs))).toEqual([keys[1]?.id]);
    expect(await look(at(dayMs + 55 * minuteMs))).toEqual([keys[1]?.id, keys[0]?.id]);
    expect(await look(at(2 * dayMs))).toHaveLength(2);
  });

  it('are told of however many there are, past the first by one notice for all, and on one replica alone', async () => {
    const { store, at, look, another } = await setting(createStore, { notifyAfterMs: dayMs, singlyMax: 5 });
    const keys = await insertAll(
      store,
      Array.from({ length: 11 }, (_, place) => ({
        createdAt: testNow,
        lastUsedAt: place % 2 ? testNow : null,
      })),
    );
    await look(at(hourMs));
    await another(at(2 * dayMs));
    expect(await notices(store)).toEqual([]);
    const told = await look(at(2 * dayMs));
    expect(told).toHaveLength(6);
    const many = (await notices(store)).find(({ target }) => target === null);
    expect(many?.after).toMatchObject({ keys: 6 });
    const singly = told.filter((id) => id !== null);
    const sample = Object(many?.after).sample as string[];
    expect([...singly, ...sample].sort()).toEqual(keys.map(({ id }) => id).sort());
    expect(await look(at(3 * dayMs))).toHaveLength(6);
  });

  it('are not told of while they may not be used, nor when they end by themselves', async () => {
    const { store, at, look } = await setting(createStore, { notifyAfterMs: dayMs });
    const [, , , , active] = await insertAll(store, [
      { disabledAt: testNow },
      { revokedAt: testNow },
      { expiresAt: testNow + hourMs },
      { rotatedTo: (await insertAll(store, [{ revokedAt: testNow }]))[0]?.id ?? null },
      {},
    ]);
    expect(await look(at(2 * dayMs))).toEqual([active?.id]);
  });
}

function disablingCases(createStore: () => Promise<Store>): void {
  const settings = { notifyAfterMs: 30 * dayMs, disableAfterMs: 90 * dayMs };

  it('are disabled by postern, with an entry as of any DisableKey, and never those that are admin keys', async () => {
    const { store, at, look, stateOf, counted } = await setting(createStore, settings);
    const [key, admin, used] = await insertAll(store, [
      { owner: 'acme', createdAt: testNow },
      { permissions: ['admin:read'] },
      {},
    ]);
    await use(store, used, testNow + 60 * dayMs);
    await look(at(91 * dayMs));
    expect(await Promise.all([key, admin, used].map(stateOf))).toEqual(['disabled', 'active', 'active']);
    const changes = (await listChain(store)).filter(({ kind }) => kind === 'call');
    expect(changes).toHaveLength(1);
    expect(changes[0]).toMatchObject({
      ...{ actor: 'postern', action: 'DisableKey', target: key?.id, owner: 'acme', outcome: 'ok' },
      ...{ before: { state: 'active' }, after: { state: 'disabled' } },
    });
    const told = (await notices(store)).map(({ target, after }) => [target, Object(after).disabled_from]);
    expect(new Map(told as [string, string | null][])).toEqual(
      new Map([
        [used?.id, '2040-05-30T00:00:00Z'],
        [key?.id, '2040-03-31T00:00:00Z'],
        [admin?.id, null],
      ]),
    );
    expect(counted).toEqual({ notified: 3, disabled: 1 });
  });

  it('count as used when they are enabled again, given a later end, or are admin keys no more', async () => {
    const { store, at, look, stateOf, service } = await setting(createStore, settings);
    const [disabled, expired, demoted] = await insertAll(store, [
      {},
      { expiresAt: testNow + 80 * dayMs },
      { permissions: ['admin:write'] },
    ]);
    await look(at(91 * dayMs));
    expect(await stateOf(disabled)).toBe('disabled');
    const of = (key: KeyRecord | undefined) => ({ id: (key as KeyRecord).id, visible: () => true, origin });
    await service.registry.enable(of(disabled));
    await service.registry.update(of(expired), () => ({ expiresAt: null }), null);
    await service.registry.update(of(demoted), () => ({ permissions: ['read:a'] }), null);
    await look(at(92 * dayMs));
    const all = [disabled, expired, demoted];
    expect(await Promise.all(all.map(stateOf))).toEqual(['active', 'active', 'active']);
    await use(store, demoted, testNow + 120 * dayMs);
    await look(at(180 * dayMs));
    expect(await Promise.all(all.map(stateOf))).toEqual(['active', 'active', 'active']);
    await look(at(182 * dayMs));
    expect(await Promise.all(all.map(stateOf))).toEqual(['disabled', 'disabled', 'active']);
    await look(at(211 * dayMs));
    expect(await stateOf(demoted)).toBe('disabled');
  });

  it('are left where they are used between the look and the change', async () => {
    const { store, at, look, stateOf, service } = await setting(createStore, settings);
    const [key, other] = await insertAll(store, [{}, {}]);
    const { listIdle } = service.store;
    service.store.listIdle = async (...given) => {
      const page = await listIdle(...given);
      await use(store, key, testNow + 91 * dayMs - minuteMs);
      return page;
    };
    await look(at(91 * dayMs));
    expect(await Promise.all([key, other].map(stateOf))).toEqual(['active', 'disabled']);
  });
}

async function setting(
  createStore: () => Promise<Store>,
  given: Partial<UnusedKeysOptions> & { singlyMax?: number },
) {
  const service = await createTestService({ store: await createStore() });
  onTestFinished(() => service.tail.close());
  const { store, clock, registry } = service;
  clock.now = testNow;
  const counted = { notified: 0, disabled: 0 };
  const lookBy = (holder: string) =>
    createUnusedKeys(
      {
        ...{ store, holder, adminScheme: 'postern', now: () => clock.now, disable: registry.disableIdle },
        count(what, keys) {
          counted[what] += keys;
        },
      },
      { notifyAfterMs: null, disableAfterMs: null, usageLagMs: lagMs, pageSize: 3, ...given },
    );
  const [one, two] = [lookBy('one'), lookBy('two')];
  return {
    ...{ service, store, counted },
    at: (ms: number) => testNow + ms,
    /** Whom the notices are about, once one replica has looked at that time. */
    async look(now: number) {
      clock.now = now;
      await one();
      return (await notices(store)).map(({ target }) => target);
    },
    async another(now: number) {
      clock.now = now;
      await two();
    },
    async stateOf(key: KeyRecord | undefined) {
      const current = key && (await store.getKey(key.id));
      return current && keyState(current, clock.now);
    },
  };
}

async function use(store: Store, key: KeyRecord | undefined, lastUsedAt: number): Promise<void> {
  const hour = lastUsedAt - (lastUsedAt % hourMs);
  await store.recordUsage([tally(key as KeyRecord, { hour, allowed: 1, lastUsedAt })]);
  await lastUsed(store, key as KeyRecord, lastUsedAt);
}

async function notices(store: Store): Promise<JournalEntry[]> {
  return (await listChain(store)).filter(({ kind }) => kind === 'notice');
}
