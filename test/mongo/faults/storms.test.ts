import { afterAll, beforeAll, expect, it } from 'vitest';
import type { KeyId } from '../../../src/keys/key.ts';
import { type Store, StoreUnavailable } from '../../../src/store/store.ts';
import type { UnitLease, UnitLeaseRequest } from '../../../src/store/units.ts';
import { type Mongo, startReplicaSet } from '../../real/mongod.ts';
import { nextId, testNow } from '../../store-contract/setting.ts';
import { request, sumOf } from '../../store-contract/use/limits.ts';
import { profile } from '../profile.ts';
import { createSetting } from '../setting.ts';
import { failCommands } from './fail-point.ts';

let mongo: Mongo;
beforeAll(async () => {
  mongo = await startReplicaSet({ own: true, args: ['--setParameter', 'enableTestCommands=1'] });
});
afterAll(() => mongo?.stop());

const keys = Array.from({ length: 300 }, () => nextId());

it.each([
  ['begins windows that are likely nobody’s by an insert of many', { isLikelyFirst: true }, ['insert']],
  ['begins windows that turn out to be nobody’s by an insert of many', {}, ['insert', 'query', 'update']],
])(
  '%s, and leases from all that somebody has begun by an update and a read of many',
  async (_, hint, first) => {
    const { setting, stores } = await replicas(1);
    const [store] = stores;
    const ask = async (more: Partial<UnitLeaseRequest>) => {
      let leases: UnitLease[] = [];
      const work = async () => {
        leases = await leaseAll(store, keys, 3, 10, more);
      };
      const asked = await profile(setting, 'limits', work, ['insert', 'update', 'query', 'command']);
      // 200 keys and 100.
      return {
        leases,
        asked: asked
          .map(({ op }) => op)
          .filter((op, at, ops) => ops.indexOf(op) === at)
          .toSorted(),
        calls: asked.length,
      };
    };
    const begun = await ask(hint);
    expect(begun.leases).toEqual(keys.map(() => ({ granted: 3, leased: 3 })));
    expect(begun).toMatchObject({ asked: first, calls: 2 * first.length });
    const again = await ask({});
    expect(again.leases).toEqual(keys.map(() => ({ granted: 3, leased: 6 })));
    expect(again).toMatchObject({ asked: ['query', 'update'], calls: 4 });
  },
);

it('writes nothing of windows of which nothing is left', async () => {
  const { setting, stores } = await replicas(1);
  const [store] = stores;
  const limits = setting.client.db().collection('limits');
  await leaseAll(store, keys, 10);
  const before = await limits.find().toArray();
  expect(await leaseAll(store, keys, 1)).toEqual(keys.map(() => ({ granted: 0, leased: 10 })));
  expect(await limits.find().toArray()).toEqual(before);
});

it('begins a window once, however many replicas take it for nobody’s', async () => {
  const { stores } = await replicas(3);
  const some = keys.slice(0, 60);
  const hint = { isLikelyFirst: true };
  const rounds = await Promise.all(stores.map((store) => leaseAll(store, some, 4, 10, hint)));
  for (const place of some.keys()) {
    const granted = rounds.map((round) => round[place]?.granted ?? 0);
    expect(granted.toSorted()).toEqual([2, 4, 4]);
  }
});

it('gives no more than the limit of each window to several replicas that all lease from all of them at once', async () => {
  const { stores } = await replicas(3);
  const some = keys.slice(0, 60);
  // Twice each, so that one window is asked for more than once in a batch.
  const rounds = await Promise.all(
    [...stores, ...stores, ...stores].map((store) => leaseAll(store, [...some, ...some], 2)),
  );
  for (const place of some.keys()) {
    const leases = rounds.flatMap((round) =>
      [round[place], round[place + some.length]].flatMap((one) => one ?? []),
    );
    expect(sumOf(leases)).toBe(10);
    // Each was told of itself: no two that were given something stand at the same number.
    const given = leases.filter(({ granted }) => granted > 0).map(({ leased }) => leased);
    expect(given.toSorted((one, other) => one - other)).toEqual([2, 4, 6, 8, 10]);
  }
});

it.each([
  [
    'is written and cannot be confirmed',
    { failCommands: ['update'], writeConcernError: { code: 64, errmsg: 'late' } },
  ],
  ['is written and cannot be read', { failCommands: ['find'], errorCode: 11602 }],
  [
    'is begun and cannot be confirmed',
    { failCommands: ['insert'], writeConcernError: { code: 64, errmsg: 'late' } },
    true,
  ],
])('takes what %s for spent, and fails those who asked', async (_, failure, isLikelyFirst = false) => {
  const { setting, stores } = await replicas(1);
  const [store] = stores;
  const some = keys.slice(0, 5);
  if (!isLikelyFirst) await leaseAll(store, some, 1);
  const stop = await failCommands(setting, {
    namespace: `${setting.client.db().databaseName}.limits`,
    ...failure,
  });
  const asked = await Promise.allSettled(
    some.map((spender) => store.leaseUnits(request({ spender, units: 4, isLikelyFirst }))),
  );
  for (const one of asked) expect(one).toMatchObject({ reason: expect.any(StoreUnavailable) });
  await stop();
  const left = isLikelyFirst ? 6 : 5;
  expect(await leaseAll(store, some, 10)).toEqual(some.map(() => ({ granted: left, leased: 10 })));
});

it('keeps no more of the leases of a window than it needs, and goes on with what an earlier version wrote', async () => {
  const { setting, stores } = await replicas(1);
  const [store] = stores;
  const limits = setting.client.db().collection<{ _id: string; grants?: unknown[] }>('limits');
  const _id = `${keys[0]} ${testNow} ${testNow + 60_000}`;
  const purge_at = new Date(Date.now() + 3_600_000);
  await limits.insertOne({ _id, leased: 4, granted: 4, purge_at } as { _id: string });
  const ask = () => leaseAll(store, [keys[0], keys[1]] as KeyId[], 1, 1_000);
  expect((await ask())[0]).toEqual({ granted: 1, leased: 5 });
  for (let round = 0; round < 70; round++) await ask();
  expect((await limits.findOne({ _id }))?.grants).toHaveLength(64);
});

it('notes new addresses of many keys by a write of all of them', async () => {
  const { setting, stores } = await replicas(1);
  const [store] = stores;
  const uses = (last: number) => keys.map((key) => ({ key, address: `192.0.2.${last}` }));
  expect(await store.noteAddresses(uses(1))).toEqual([]);
  for (const last of [2, 3]) {
    const asked = await profile(
      setting,
      'addresses',
      async () => {
        expect(await store.noteAddresses(uses(last))).toEqual(uses(last));
      },
      ['query', 'command'],
    );
    expect(asked.map(({ op }) => op)).toEqual(['query', 'query']);
  }
});

it('tells of each new address of many keys once, however many replicas note them at once', async () => {
  const { stores } = await replicas(3);
  const some = keys.slice(0, 50);
  const uses = (last: number) => some.map((key) => ({ key, address: `192.0.2.${last}` }));
  await stores[0].noteAddresses(uses(1));
  const told = await Promise.all(
    [2, 3, 4].flatMap((last) => stores.map((store) => store.noteAddresses([...uses(last), ...uses(last)]))),
  );
  const names = told.flat().map(({ key, address }) => `${key} ${address}`);
  const all = [2, 3, 4].flatMap((last) => uses(last)).map(({ key, address }) => `${key} ${address}`);
  expect(names.toSorted()).toEqual(all.toSorted());
});

async function replicas(count: number) {
  const setting = await createSetting(mongo.uri);
  // Of three replicas that write to one window each write is tried again: a busy machine takes its time.
  const timeouts = { findKeyMs: 60_000 };
  const [first, ...others] = Array.from({ length: count }, () => setting.store({ timeouts }));
  if (first === undefined) throw new Error('none asked for');
  const stores = [first, ...others] as const;
  await Promise.all(stores.map((store) => store.open()));
  return { setting, stores };
}

function leaseAll(
  store: Store,
  spenders: readonly KeyId[],
  units: number,
  limit = 10,
  more: Partial<UnitLeaseRequest> = {},
): Promise<UnitLease[]> {
  return Promise.all(
    spenders.map((spender) => store.leaseUnits(request({ spender, units, limit, ...more }))),
  );
}
