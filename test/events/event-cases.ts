import { describe, expect, it, onTestFinished } from 'vitest';
import { sendAll } from '../../src/admin/watch-operations.ts';
import { eventOf, type KeyEvent } from '../../src/events/events.ts';
import { createExpiryNotices } from '../../src/events/expiry-notices.ts';
import { createFailureNotices } from '../../src/events/failure-notices.ts';
import { createUseNotices } from '../../src/events/use-notices.ts';
import type { JournalEntry } from '../../src/journal/journal.ts';
import type { KeyRecord } from '../../src/keys/key.ts';
import type { Store } from '../../src/store/store.ts';
import { until } from '../real/until.ts';
import { createTestService, type TestService } from '../service.ts';
import { dayMs, insertAll, listChain, testNow } from '../store-contract/setting.ts';
import { tally } from '../store-contract/use/usage.ts';

const hourMs = 3_600_000;

/** What is noticed, watched and revoked as leaked, on one kind of store. It is closed when the test has finished. */
export function describeEvents(name: string, createStore: () => Promise<Store>): void {
  describe(`notices on ${name}`, () => {
    expiryCases(createStore);
    useCases(createStore);
    failureCases(createStore);
  });
  describe(`leaked keys on ${name}`, () => leakCases(createStore));
  describe(`a watch on ${name}`, () => watchCases(createStore));
}

function expiryCases(createStore: () => Promise<Store>): void {
  it('tells once that a key ends within 7 days, and once that it does within 1', async () => {
    const { store, look, clock } = await expiring(createStore);
    const [key] = await insertAll(store, [ending(testNow + 10 * dayMs)]);
    expect(await look()).toEqual([]);
    clock.now = testNow + 3 * dayMs;
    expect(await look()).toEqual([[key?.id, '7d']]);
    clock.now = testNow + 8 * dayMs;
    expect(await look()).toEqual([[key?.id, '7d']]);
    clock.now = testNow + 9 * dayMs;
    await look();
    clock.now = testNow + 20 * dayMs;
    expect(await look()).toEqual([
      [key?.id, '7d'],
      [key?.id, '1d'],
    ]);
    const [notice] = await notices(store);
    expect(notice).toMatchObject({
      ...{ kind: 'notice', actor: null, target: key?.id, owner: 'acme', outcome: 'ok' },
      after: { name: 'A key', expires_at: '2040-01-11T00:00:00Z', within: '7d' },
    });
  });

  it('tells nothing of keys that never had so long, are revoked, or have ended', async () => {
    const { store, look } = await expiring(createStore);
    const [, , , , last] = await insertAll(store, [
      { ...ending(testNow + 5 * dayMs), createdAt: testNow - dayMs },
      { ...ending(testNow + dayMs / 2), createdAt: testNow },
      { ...ending(testNow + 5 * dayMs), revokedAt: testNow },
      ending(testNow - 1),
      { ...ending(testNow + dayMs / 2), createdAt: testNow - 2 * dayMs },
    ]);
    expect(await look()).toEqual([[last?.id, '1d']]);
  });

  it('tells it again where the key is to end at another time', async () => {
    const { store, look, clock } = await expiring(createStore);
    const [key] = await insertAll(store, [ending(testNow + 6 * dayMs)]);
    await look();
    const longer = { ...(key as KeyRecord), expiresAt: testNow + 30 * dayMs, version: 2 };
    await store.replaceKey(longer, 1, 1);
    clock.now = testNow + 24 * dayMs;
    expect(await look()).toEqual([
      [key?.id, '7d'],
      [key?.id, '7d'],
    ]);
  });

  it('goes on where it stopped after a pause, telling each key what is nearest, however many there are', async () => {
    const { store, look, clock, another } = await expiring(createStore);
    await look();
    const within = (days: number) => Array.from({ length: 7 }, () => ending(testNow + days * dayMs));
    const [first] = await insertAll(store, [...within(8), ...within(4), ...within(12)]);
    clock.now = testNow + 3.5 * dayMs;
    // Another replica, once the duty of the first has lapsed.
    const seen = await another();
    expect(seen).toHaveLength(14);
    expect(seen.filter(([, threshold]) => threshold === '1d')).toHaveLength(7);
    expect(seen).toContainEqual([first?.id, '7d']);
    expect(await look()).toHaveLength(14);
  });

  it('tells of many that end at one time by one notice, but for the first, and once though a look fails', async () => {
    const { store, look, clock } = await expiring(createStore, 2);
    await look();
    const midnight = testNow + 8 * dayMs;
    const keys = await insertAll(
      store,
      Array.from({ length: 12 }, () => ending(midnight)),
    );
    await insertAll(
      store,
      [ending(midnight), ending(midnight)].map((key) => ({ ...key, revokedAt: testNow })),
    );
    clock.now = testNow + 2 * dayMs;
    // What was told is told again by a look after one whose end was lost.
    const { recordDuty } = store;
    store.recordDuty = () => Promise.reject(new Error('away'));
    await expect(look()).rejects.toThrow('away');
    store.recordDuty = recordDuty;
    const first = keys.map(({ id }) => id).sort();
    expect((await look()).toSorted()).toEqual(
      [...first.slice(0, 2).map((id) => [id, '7d']), [null, '7d']].sort(),
    );
    const many = (await notices(store)).find(({ target }) => target === null);
    expect(many).toMatchObject({ action: 'KeyExpiring', owner: null });
    expect(many?.after).toEqual({
      ...{ keys: 10, within: '7d', since: '2040-01-03T00:00:00Z' },
      sample: first.slice(2),
    });
    clock.now = testNow + 7.5 * dayMs;
    expect(await look()).toHaveLength(6);
  });
}

function useCases(createStore: () => Promise<Store>): void {
  it('tells once of each address that a key had not been used from, and not of its first', async () => {
    const store = await createStore();
    const [key, other] = await insertAll(store, [{ owner: 'acme' }, {}]);
    const notes = [useNotices(store), useNotices(store)];
    const use = (one: KeyRecord | undefined, ...addresses: string[]) =>
      tally(one as KeyRecord, { hour: testNow, allowed: 1, addresses });
    await notes[0]?.([use(key, '192.0.2.1'), use(other, '192.0.2.1')]);
    expect(await notices(store)).toEqual([]);
    // The other replica knows nothing by itself.
    await notes[1]?.([use(key, '192.0.2.1', '192.0.2.2')]);
    await notes[0]?.([use(key, '192.0.2.2', '2001:db8::1'), use(other, '192.0.2.1')]);
    const told = await notices(store);
    expect(told.map(({ action, target, address }) => [action, target, address])).toEqual([
      ['NewAddress', key?.id, '192.0.2.2'],
      ['NewAddress', key?.id, '2001:db8::1'],
    ]);
    expect(told[0]).toMatchObject({ owner: 'acme', after: { address: '192.0.2.2' } });
  });

  it('tells once an hour that a key was denied for its permissions', async () => {
    const store = await createStore();
    const [key, gone] = await insertAll(store, [{ owner: 'acme' }]);
    const denied = (hour: number, reason: 'permission_denied' | 'expired') =>
      tally(key as KeyRecord, { hour, denied: { [reason]: 3 }, addresses: ['192.0.2.1'] });
    const notes = [useNotices(store), useNotices(store)];
    for (const note of notes) {
      await note([denied(testNow, 'permission_denied'), denied(testNow, 'expired')]);
      await note([denied(testNow, 'permission_denied')]);
    }
    await notes[0]?.([denied(testNow + hourMs, 'permission_denied')]);
    const told = await notices(store);
    expect(gone).toBeUndefined();
    expect(told.map(({ action, target, once }) => [action, target, once])).toEqual([
      ['PermissionDenied', key?.id, `permission ${key?.id} ${testNow}`],
      ['PermissionDenied', key?.id, `permission ${key?.id} ${testNow + hourMs}`],
    ]);
  });
}

function failureCases(createStore: () => Promise<Store>): void {
  it('tells once an hour of an address that fails often, on however many replicas', async () => {
    const store = await createStore();
    const replicas = [1, 2].map(() =>
      createFailureNotices({ store, now: () => testNow }, { failures: 3, windowMs: 60_000 }),
    );
    for (const failures of replicas) {
      for (let at = 0; at < 5; at++) failures.count('unknown', '192.0.2.1', testNow + at);
      await failures.flush();
    }
    for (let at = 0; at < 3; at++) replicas[0]?.count('revoked', '192.0.2.1', testNow + hourMs + at);
    await replicas[0]?.flush();
    const told = await notices(store);
    expect(told.map(({ action, target, owner, address }) => [action, target, owner, address])).toEqual([
      ['ManyFailures', null, null, '192.0.2.1'],
      ['ManyFailures', null, null, '192.0.2.1'],
    ]);
    expect(told[0]?.after).toEqual({
      ...{ address: '192.0.2.1', failures: 3, window: '60s', since: '2040-01-01T00:00:00Z' },
    });
  });
}

function leakCases(createStore: () => Promise<Store>): void {
  it('revokes keys of any scheme, admin keys too, and journals once where each was found', async () => {
    const { service, caller } = await serviceOn(createStore, { hasOtherWriter: false });
    const schemes = ['postern', 'powerverse', 'mira'];
    const made = [];
    for (const scheme of schemes) made.push(await service.admin.createKey(caller, { name: scheme, scheme }));
    const last = await service.admin.createKey(caller, { name: 'Last', permissions: ['admin:write'] });
    const secrets = [...made, last].map(({ secret }) => secret?.reveal() ?? '');
    const keys = [...secrets, 'nothing', secrets[0]].map((key) => ({
      key,
      url: `https://a.example/?${key}`,
    }));

    const answer = await service.admin.reportLeakedKeys(caller, { keys });
    await service.admin.reportLeakedKeys(caller, { keys });

    expect(answer).toMatchObject({ received: 6, unconfirmedReplicas: [] });
    for (const { key } of [...made, last]) {
      expect((await service.store.getKey(key.id))?.revokedAt).not.toBeNull();
    }
    const entries = (await listChain(service.store)).filter(({ action }) => action === 'ReportLeakedKeys');
    // Each was revoked once; that it was found again in the same place is told once more and never after.
    expect(entries.filter(({ once }) => once === null)).toHaveLength(4);
    expect(entries.filter(({ once }) => once !== null)).toHaveLength(4);
    const leaked = { url: 'https://a.example/?[secret]', source: null };
    for (const entry of entries) expect(entry.after).toMatchObject({ state: 'revoked', leaked });
    const whole = JSON.stringify(await listChain(service.store));
    for (const secret of secrets) expect(whole).not.toContain(secret);
  });

  it('answers alike, by the same steps, whether or not anything was a key', async () => {
    const settled: number[] = [];
    const { service, caller } = await serviceOn(createStore, {}, (store) => ({
      ...store,
      settle(commit) {
        settled.push(commit.at);
        return store.settle(commit);
      },
    }));
    const { secret } = await service.admin.createKey(caller, { name: 'One' });
    const shapes = [];
    for (const keys of [[{ key: secret?.reveal() }], [{ key: 'x' }], [{ key: secret?.reveal() }]]) {
      const before = settled.length;
      const answer = await service.admin.reportLeakedKeys(caller, { keys });
      shapes.push({ ...answer, effectiveAt: typeof answer.effectiveAt, settled: settled.length - before });
    }
    expect(new Set(shapes.map((shape) => JSON.stringify(shape))).size).toBe(1);
    expect(shapes[0]).toMatchObject({ received: 1, settled: 1 });
  });

  it('finds for an admin key that has an owner that owner’s keys alone', async () => {
    const { service, caller } = await serviceOn(createStore);
    const own = await service.admin.createKey(caller, { name: 'Own', owner: 'acme' });
    const other = await service.admin.createKey(caller, { name: 'Other', owner: 'other' });
    const wanted = { name: 'Bound', owner: 'acme', permissions: ['admin:write'] };
    const bound = await service.admin.createKey(caller, wanted);
    const by = { authorization: [`Bearer ${bound.secret?.reveal()}`], address: '' };
    const keys = [own, other].map(({ secret }) => ({ key: secret?.reveal() }));
    expect(await service.admin.reportLeakedKeys(by, { keys })).toMatchObject({ received: 2 });
    expect((await service.store.getKey(own.key.id))?.revokedAt).not.toBeNull();
    expect((await service.store.getKey(other.key.id))?.revokedAt).toBeNull();
    const entries = (await listChain(service.store)).filter(({ action }) => action === 'ReportLeakedKeys');
    expect(entries.map(({ target, actor }) => [target, actor])).toEqual([[own.key.id, bound.key.id]]);
  });
}

function watchCases(createStore: () => Promise<Store>): void {
  it('is told of every one of many concurrent changes once and in order, however often it resumes', async () => {
    const { service, caller } = await serviceOn(createStore);
    const seen: KeyEvent[] = [];
    let token = 'evt_0000000000000000';
    const changes = Promise.all(
      Array.from({ length: 30 }, async (_, at) => {
        const { key } = await service.admin.createKey(caller, { name: String(at) });
        await service.admin.disableKey(caller, key.id);
      }),
    );
    while (seen.length < 60) {
      const end = new AbortController();
      let left = 7;
      const answers = await service.admin.watchKeys(caller, { resume_token: token }, end.signal);
      const take = async ({ event, resumeToken }: { event: KeyEvent | null; resumeToken: string }) => {
        token = resumeToken;
        if (event !== null) seen.push(event);
        if (event !== null && --left === 0) end.abort();
        if (seen.length === 60) end.abort();
      };
      await sendAll(answers, take, end.signal);
    }
    await changes;
    const chain = await listChain(service.store);
    expect(seen).toEqual(chain.flatMap((entry) => eventOf(entry) ?? []));
  });
}

async function expiring(createStore: () => Promise<Store>, singlyMax = 100) {
  const store = await createStore();
  const clock = { now: testNow };
  const now = () => clock.now;
  const look = createExpiryNotices(
    { store, holder: 'one', now },
    { pageSize: 3, leaseMs: 60_000, singlyMax },
  );
  const other = createExpiryNotices({ store, holder: 'two', now }, { pageSize: 3 });
  const told = async () => (await notices(store)).map((entry) => [entry.target, Object(entry.after).within]);
  return {
    store,
    clock,
    look: async () => {
      await look();
      return told();
    },
    another: async () => {
      await other();
      expect(await told()).toEqual([]);
      await store.claimDuty('expiring', 'one', 1);
      await until('the duty', async () => (await store.claimDuty('expiring', 'two', 60_000)) !== null);
      await other();
      return told();
    },
  };
}

/** A key that has been there for long and ends then. */
function ending(expiresAt: number): Partial<KeyRecord> {
  return { owner: 'acme', createdAt: testNow - 400 * dayMs, expiresAt };
}

function useNotices(store: Store) {
  const onError = (error: unknown) => {
    throw error;
  };
  return createUseNotices({ store, now: () => testNow, onError, onDropped: onError }).note;
}

async function notices(store: Store): Promise<JournalEntry[]> {
  return (await listChain(store)).filter(({ kind }) => kind === 'notice');
}

async function serviceOn(
  createStore: () => Promise<Store>,
  options: { hasOtherWriter?: boolean } = {},
  wrap: (store: Store) => Store = (store) => store,
) {
  const service: TestService = await createTestService({ store: wrap(await createStore()), ...options });
  onTestFinished(() => service.tail.close());
  return { service, caller: { authorization: [service.adminAuthorization], address: '192.0.2.1' } };
}
