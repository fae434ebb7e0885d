import { expect, it } from 'vitest';
import { usageRetentionMs } from '../../src/store/store.ts';
import { tally } from '../store-contract/use/usage.ts';
import { startListener } from './listener.ts';

const noon = Date.parse('2031-02-03T12:00:00Z');
const hourMs = 3_600_000;

/** A key that was used at eleven and at noon, at a quarter past twelve. */
async function withUsage() {
  const listener = await startListener();
  const { service, create } = listener;
  service.clock.now = noon + 900_000;
  const key = await create({ name: 'used', owner: 'acme' });
  const id = key.id as Parameters<typeof tally>[0]['id'];
  await service.store.recordUsage([
    tally({ id }, { hour: noon, denied: { expired: 1, rate_limited: 2 }, addresses: ['192.0.2.2'] }),
    tally({ id }, { hour: noon - hourMs, allowed: 3, lastUsedAt: noon - 1, addresses: ['192.0.2.1'] }),
  ]);
  const usage = (query = '', headers = {}) =>
    listener.call('GET', `/admin/api-keys/${id}/usage${query}`, undefined, headers);
  return { ...listener, id, usage };
}

it('answers what became of the requests of a key, hour by hour, oldest first', async () => {
  const { usage } = await withUsage();
  const { status, json } = await usage();
  expect(status).toBe(200);
  expect(json).toEqual({
    data: {
      buckets: [
        { start: '2031-02-03T11:00:00Z', allowed: 3, denied: {}, observed: {} },
        { start: '2031-02-03T12:00:00Z', allowed: 0, denied: { expired: 1, rate_limited: 2 }, observed: {} },
      ],
      last_used_at: '2031-02-03T11:59:59Z',
      addresses: ['192.0.2.2', '192.0.2.1'],
    },
  });
});

it('answers nothing of a key that was never used', async () => {
  const { create, call } = await startListener();
  const { id } = await create();
  expect((await call('GET', `/admin/api-keys/${id}/usage`)).json).toEqual({
    data: { buckets: [], last_used_at: null, addresses: [] },
  });
});

it('answers from the hour of a given time on, and 90 days back without one', async () => {
  const { usage, service, id } = await withUsage();
  const startsOf = async (query?: string) =>
    (await usage(query)).json.data.buckets.map(({ start }: { start: string }) => start);
  expect(await startsOf('?since=2031-02-03T12:59:59Z')).toEqual(['2031-02-03T12:00:00Z']);
  expect(await startsOf('?since=2031-02-03T13:00:00%2B01:00')).toEqual(['2031-02-03T12:00:00Z']);
  expect(await startsOf('?since=2031-02-03T13:00:00Z')).toEqual([]);
  const old = noon - usageRetentionMs - hourMs;
  await service.store.recordUsage([tally({ id }, { hour: old, allowed: 1 })]);
  expect(await startsOf()).toHaveLength(2);
  expect(await startsOf('?since=2020-01-01T00:00:00Z')).toHaveLength(3);
});

it('refuses what is no time, and every other parameter, by its name', async () => {
  const { usage } = await withUsage();
  for (const [query, field] of [
    ['?since=yesterday', 'since'],
    ['?since=', 'since'],
    ['?until=2031-02-03T12:00:00Z', 'until'],
    ['?since=2031-02-03T12:00:00Z&since=2031-02-03T12:00:00Z', 'since'],
  ]) {
    const { status, json } = await usage(query);
    expect([query, status, json.error.details.fields]).toEqual([
      query,
      400,
      [{ field, description: expect.any(String) }],
    ]);
  }
});

it('says 404 for a key that is not there, or not of the owner of the admin key', async () => {
  const { usage, call, create } = await withUsage();
  const as = async (owner: string) => {
    const { key } = await create({ name: owner, permissions: ['admin:read'], owner, scheme: 'postern' });
    return (await usage('', { authorization: `Bearer ${key}` })).status;
  };
  expect([await as('acme'), await as('other')]).toEqual([200, 404]);
  for (const id of [`key_${'0'.repeat(26)}`, 'rubbish', 'key_']) {
    expect((await call('GET', `/admin/api-keys/${id}/usage`)).status).toBe(404);
  }
});

it('wants an admin key that may read, before it looks at anything', async () => {
  const { usage, create } = await withUsage();
  const { key } = await create({ name: 'no admin', scheme: 'postern' });
  expect((await usage('?since=rubbish', { authorization: 'Bearer rubbish' })).status).toBe(401);
  expect((await usage('?since=rubbish', { authorization: `Bearer ${key}` })).status).toBe(403);
});
