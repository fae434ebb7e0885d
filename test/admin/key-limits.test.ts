import { expect, it } from 'vitest';
import { usedLimitJson } from '../../src/changes/limit-json.ts';
import { audit, callerWith, root, start } from '../admin-calls.ts';
import type { TestService } from '../service.ts';

const limits = [
  { name: 'burst', limit: 10, window: '60s' },
  { name: 'monthly', limit: 1_000, period: 'month', shared_by: 'owner' },
  { name: 'budget', limit: 50, period: 'total' },
];

async function withKeys() {
  const service = await start();
  service.clock.now = Date.UTC(2031, 1, 10, 12, 0, 30);
  const make = async (name: string) =>
    (await service.admin.createKey(root(service), { name, owner: 'acme', rate_limits: limits })).key;
  const [one, other] = [await make('one'), await make('other')];
  const charge = async (input: object, id: string = one.id) =>
    usedLimitJson(await service.admin.chargeKey(root(service), id, input));
  const shown = async (id: string) =>
    (await service.admin.getKeyLimits(root(service), id)).map(usedLimitJson);
  return { service, one, other, charge, shown };
}

it('a key says how it stands with each limit, in their order, and when each resets', async () => {
  const { one, shown } = await withKeys();
  expect(await shown(one.id)).toEqual([
    ...[
      {
        name: 'burst',
        limit: 10,
        used: 0,
        remaining: 10,
        resets_at: '2031-02-10T12:01:00Z',
        shared_by: 'key',
      },
    ],
    {
      name: 'monthly',
      limit: 1_000,
      used: 0,
      remaining: 1_000,
      resets_at: '2031-03-01T00:00:00Z',
      shared_by: 'owner',
    },
    { name: 'budget', limit: 50, used: 0, remaining: 50, resets_at: null, shared_by: 'key' },
  ]);
});

it('a charge counts for all keys that share the limit, beyond what is left too', async () => {
  const { one, other, charge, shown } = await withKeys();
  expect(await charge({ limit: 'monthly', units: 1_200 })).toMatchObject({ used: 1_200, remaining: 0 });
  expect((await shown(other.id))[1]).toMatchObject({ used: 1_200, remaining: 0 });
  expect((await shown(one.id))[0]).toMatchObject({ used: 0 });
});

it('what is given back is never more than was used, but for a total, which it tops up', async () => {
  const { service, one, charge } = await withKeys();
  await charge({ limit: 'monthly', units: 30 });
  expect(await charge({ limit: 'monthly', units: -50 })).toMatchObject({ used: 0, remaining: 1_000 });
  expect(await charge({ limit: 'budget', units: -50 })).toMatchObject({ used: -50, remaining: 100 });
  const [entry] = await audit(service, { action: 'ChargeKey' });
  expect(entry).toMatchObject({ target: one.id, after: { limit: 'budget', units: -50 } });
});

it('the same request counts once, and another under its name is a conflict that counts nothing', async () => {
  const { charge, other } = await withKeys();
  const asked = { limit: 'budget', units: 5, request_id: 'r1' };
  expect([await charge(asked), await charge(asked)]).toMatchObject([{ used: 5 }, { used: 5 }]);
  for (const another of [
    { ...asked, units: 6 },
    { ...asked, limit: 'burst' },
  ]) {
    await expect(charge(another)).rejects.toMatchObject({
      ...{ code: 'ALREADY_EXISTS', message: expect.stringContaining('request_id') },
    });
  }
  expect(await charge({ limit: 'budget', units: 1 })).toMatchObject({ used: 6 });
  // Another key has request ids of its own.
  expect(await charge(asked, other.id)).toMatchObject({ used: 5 });
});

it('a revoked key is charged: its request ran before', async () => {
  const { service, one, charge } = await withKeys();
  await service.admin.revokeKey(root(service), one.id);
  expect(await charge({ limit: 'budget', units: 5 })).toMatchObject({ used: 5 });
});

it.each([
  [{ units: 1 }, 'limit'],
  [{ limit: 'yearly', units: 1 }, 'limit'],
  [{ limit: 'Burst!', units: 1 }, 'limit'],
  [{ limit: 'burst', units: 0 }, 'units'],
  [{ limit: 'burst', units: 1e18 }, 'units'],
  [{ limit: 'burst', units: -2e15 }, 'units'],
  [{ limit: 'burst', units: 1.5 }, 'units'],
  [{ limit: 'burst', units: Number.NaN }, 'units'],
  [{ limit: 'burst', units: '1' }, 'units'],
  [{ limit: 'burst' }, 'units'],
  [{ limit: 'burst', units: 1, request_id: '' }, 'request_id'],
  [{ limit: 'burst', units: 1, cost: 1 }, 'cost'],
])('a charge of %j is refused by its field %s', async (input, field) => {
  const { charge, shown, one } = await withKeys();
  await expect(charge(input)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', violations: [{ field }] });
  expect((await shown(one.id))[0]).toMatchObject({ used: 0 });
});

it('how much a key may spend is not for an admin key to say that is bound to its owner', async () => {
  const { service, one } = await withKeys();
  const { authorization } = await callerWith(service, ['admin:write'], 'acme');
  const bound = { authorization, address: '127.0.0.1' };
  const rate_limit = { limit: 1, window: '1s' };
  const refused = { code: 'PERMISSION_DENIED', reason: 'OWNER_MISMATCH' };
  const { admin } = service;
  await expect(admin.createKey(bound, { name: 'a', plan: 'pro' })).rejects.toMatchObject(refused);
  await expect(admin.createKey(bound, { name: 'a', rate_limit })).rejects.toMatchObject(refused);
  await expect(admin.updateKey(bound, one.id, { rate_limits: limits.slice(1) })).rejects.toMatchObject(
    refused,
  );
  await expect(admin.chargeKey(bound, one.id, { limit: 'burst', units: -1 })).rejects.toMatchObject(refused);
  // What it has already may be sent back, and what was spent may be said.
  await admin.updateKey(bound, one.id, { name: 'b', rate_limits: limits });
  expect(await admin.chargeKey(bound, one.id, { limit: 'burst', units: 1 })).toMatchObject({ used: 1 });
  expect(await readable(service, bound)).toHaveLength(3);
});

async function readable({ admin }: TestService, caller: Parameters<TestService['admin']['getKeyLimits']>[0]) {
  const { keys } = await admin.listKeys(caller, {});
  return admin.getKeyLimits(caller, keys.find(({ rateLimits }) => rateLimits.length > 0)?.id ?? '');
}
