import { randomBytes } from 'node:crypto';
import { expect, it, onTestFinished, vi } from 'vitest';
import type { Caller } from '../../src/admin/identity.ts';
import { createDigestUpgrade, upgradeBatchSize } from '../../src/changes/digest-upgrade.ts';
import { createDigester, type Pepper } from '../../src/keys/secret.ts';
import { createSqliteStore } from '../../src/sqlite/store.ts';
import type { DigestChange } from '../../src/store/records/key-filter.ts';
import { type Store, StoreUnavailable } from '../../src/store/store.ts';
import { digestOf, keyRecord } from '../records.ts';
import { createTestService, type TestService } from '../service.ts';

const pepper = (id: string): Pepper => ({ id, key: randomBytes(32) });
const bounds = { flushMs: 1_000, changesMax: 1_000 };

/** An upgrade of keys that are all found under no pepper, and what it has asked the store to change. */
function createSetting({ changesMax = 1_000 } = {}) {
  const asked: DigestChange[][] = [];
  const store = { isAway: false };
  const errors: unknown[] = [];
  const upgrade = createDigestUpgrade(
    {
      store: {
        async replaceDigests(changes) {
          if (store.isAway) throw new StoreUnavailable('away');
          asked.push([...changes]);
        },
      },
      onError: (error) => errors.push(error),
    },
    { ...bounds, changesMax },
  );
  const digester = createDigester([pepper('p')]);
  const find = upgrade.watch(async (digests) => keyRecord({ digest: digests.at(-1) ?? digestOf('') }));
  const use = (count: number) =>
    Promise.all(Array.from({ length: count }, (_, place) => find(digester.candidates(`secret ${place}`))));
  return { upgrade, asked, store, errors, find, use, digester };
}

it('gives a key that was found by another digest the one that signs', async () => {
  const { upgrade, asked, find, digester } = createSetting();
  const found = await find(digester.candidates('x'));
  expect(found?.digest).toBe(digestOf('x'));
  await upgrade.flush();
  expect(asked).toEqual([[{ id: found?.id, from: digestOf('x'), to: digester.sign('x') }]]);
  await upgrade.flush();
  expect(asked).toHaveLength(1);
});

it('changes nothing of a key that was found by the digest that signs, nor where there is none', async () => {
  const { upgrade, asked, digester } = createSetting();
  const signed = upgrade.watch(async ([first]) => keyRecord({ digest: first ?? digestOf('') }));
  await signed(digester.candidates('x'));
  expect(await upgrade.watch(async () => null)(digester.candidates('x'))).toBe(null);
  expect(await signed([])).toMatchObject({ digest: digestOf('') });
  await upgrade.flush();
  expect(asked).toEqual([]);
});

it('writes many at a time, and so that other work comes between', async () => {
  const { upgrade, asked, use } = createSetting();
  await use(upgradeBatchSize * 2 + 1);
  await upgrade.flush();
  expect(asked.map(({ length }) => length)).toEqual([upgradeBatchSize, upgradeBatchSize, 1]);
});

it('keeps what could not be written until the store is back, and says so', async () => {
  const { upgrade, asked, store, errors, use } = createSetting();
  store.isAway = true;
  await use(3);
  await upgrade.flush();
  expect([asked, errors.length]).toEqual([[], 1]);
  store.isAway = false;
  await upgrade.flush();
  expect(asked.map(({ length }) => length)).toEqual([3]);
});

it('notes no more than it may; the others come when they are next read', async () => {
  const { upgrade, asked, use } = createSetting({ changesMax: 2 });
  await use(3);
  await upgrade.flush();
  await use(3);
  await upgrade.flush();
  expect(asked.map(({ length }) => length)).toEqual([2, 2]);
});

it('writes by itself at intervals, and the rest when it is stopped', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const { upgrade, asked, use } = createSetting();
  upgrade.start();
  await use(2);
  vi.advanceTimersByTime(bounds.flushMs);
  await expect.poll(() => asked.map(({ length }) => length)).toEqual([2]);
  await use(1);
  await upgrade.stop();
  expect(asked.map(({ length }) => length)).toEqual([2, 1]);
  await use(1);
  vi.advanceTimersByTime(bounds.flushMs * 5);
  expect(asked).toHaveLength(2);
});

it('lets an old pepper be dropped once each key was used, and says which were not', async () => {
  const [first, second] = [pepper('first'), pepper('second')];
  const store = createSqliteStore({ path: ':memory:', now: Date.now });
  onTestFinished(() => store.close());
  const before = await serviceOn(store, [first]);
  const [used, unused] = [await createKey(before), await createKey(before)];
  expect(await before.peppers()).toEqual({ first: 2, '': 0 });

  const during = await serviceOn(store, [second, first]);
  expect(await during.verify(used)).toBe(true);
  expect(await during.peppers()).toEqual({ second: 0, first: 2, '': 0 });
  await during.upgrade.flush();
  expect(await during.verify(used)).toBe(true);
  expect(await during.peppers()).toEqual({ second: 1, first: 1, '': 0 });

  const after = await serviceOn(store, [second]);
  expect(await after.verify(used)).toBe(true);
  expect(await after.verify(unused)).toBe(false);
  expect(await after.peppers()).toEqual({ second: 1, '': 0, first: 1 });
  const [notConfigured] = (await after.admin.getDiagnostics(after.caller)).peppers.filter(
    ({ id }) => id === 'first',
  );
  expect(notConfigured).toEqual({ id: 'first', keys: 1, configured: false, signing: false });
});

it('moves a key that was imported as a digest at its first use', async () => {
  const store = createSqliteStore({ path: ':memory:', now: Date.now });
  onTestFinished(() => store.close());
  const service = await serviceOn(store, [pepper('p')]);
  const secret = await createKey(service);
  const foreign = await createKey(
    await serviceOn(createSqliteStore({ path: ':memory:', now: Date.now }), []),
  );
  const keys = [{ sha256: digestOf(foreign), name: 'foreign' }];
  await service.admin.importKeys(service.caller, { keys });
  expect(await service.peppers()).toEqual({ p: 1, '': 1 });
  expect(await service.verify(foreign)).toBe(true);
  await service.upgrade.flush();
  expect(await service.peppers()).toEqual({ p: 2, '': 0 });
  expect([await service.verify(foreign), await service.verify(secret)]).toEqual([true, true]);
});

interface Peppered extends TestService {
  readonly caller: Caller;
  verify(key: string): Promise<boolean>;
  /** How many keys there are under each. */
  peppers(): Promise<Record<string, number>>;
}

async function serviceOn(store: Store, peppers: readonly Pepper[]): Promise<Peppered> {
  const service = await createTestService({ store, peppers });
  const caller = { authorization: [service.adminAuthorization], address: '192.0.2.1' };
  return {
    ...service,
    caller,
    verify: async (key) => (await service.admin.verifyKey(caller, { key })).allowed,
    async peppers() {
      const { peppers: uses } = await service.admin.getDiagnostics(caller);
      return Object.fromEntries(uses.map(({ id, keys }) => [id, keys]));
    },
  };
}

async function createKey({ admin, caller }: Peppered): Promise<string> {
  return (await admin.createKey(caller, { name: 'a key', scheme: 'postern' })).secret?.reveal() ?? '';
}
