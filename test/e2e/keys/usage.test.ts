import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { freshDatabase } from '../../real/mongod.ts';
import { type Postern, startPostern } from '../../real/postern.ts';
import { startChangedStack } from '../routes.ts';
import { admin, makeKey, type Stack, send, startStack } from '../stack.ts';

const routes = [{ prefix: '/write/', context: { permissions: 'write:things' } }];
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-usage-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const stores = {
  SQLite: () => `sqlite:${join(folder, 'postern.db')}`,
  MongoDB: () => freshDatabase(inject('mongoUri')).uri,
};

describe.each(Object.keys(stores) as (keyof typeof stores)[])('the use of a key, on %s', (name) => {
  it('is counted, with its last use and where from, and told soon after', async () => {
    const store = { POSTERN_STORE: stores[name]() };
    const stack = await startChangedStack('usage_flush_interval: 200ms\n', store, { routes });
    onTestFinished(() => stack.stop());
    const made = await makeKey(stack.postern);
    const usage = () => usageOf(stack.postern, made.id);
    expect(await usage()).toEqual({ buckets: [], last_used_at: null, addresses: [] });

    const began = Date.now();
    expect(await askAll(stack, made.key)).toEqual([200, 200, 200, 403, 403]);
    await expect.poll(async () => countsOf(await usage())).toEqual([3, 2]);
    const { last_used_at, addresses, buckets } = await usage();
    expect(addresses).toEqual(['127.0.0.1']);
    const usedAt = Date.parse(last_used_at ?? '');
    expect(usedAt).toBeGreaterThanOrEqual(began - 1_000);
    expect(usedAt).toBeLessThanOrEqual(Date.now());
    expect(buckets.every(({ start }) => Date.parse(start) % 3_600_000 === 0)).toBe(true);
    const { data } = (await admin(stack.postern, 'GET', `/admin/api-keys/${made.id}`)) as {
      data: { last_used_at: string; etag: unknown };
    };
    expect(data).toMatchObject({ last_used_at, etag: made.etag });
  });

  it('is kept when the service is stopped', async () => {
    const store = { POSTERN_STORE: stores[name]() };
    const stack = await startStack(store);
    onTestFinished(() => stack.stop());
    const made = await makeKey(stack.postern);
    expect((await send(stack.envoy.url, '/', [['authorization', `Bearer ${made.key}`]])).status).toBe(200);
    await stack.postern.kill('SIGTERM');
    expect(await stack.postern.exited).toBe(0);

    const again = await startPostern(store);
    onTestFinished(() => again.stop());
    await expect.poll(async () => countsOf(await usageOf(again, made.id))).toEqual([1, 0]);
    const usage = await usageOf(again, made.id);
    expect(usage.last_used_at).not.toBe(null);
  });
});

interface Usage {
  readonly buckets: readonly { start: string; allowed: number; denied: Record<string, number> }[];
  readonly last_used_at: string | null;
  readonly addresses: readonly string[];
}

async function usageOf(postern: Postern, id: string): Promise<Usage> {
  const { data } = (await admin(postern, 'GET', `/admin/api-keys/${id}/usage`)) as { data: Usage };
  return data;
}

/** How many were allowed, and how many lacked a permission, in all hours: one may end under way. */
function countsOf({ buckets }: Usage): [allowed: number, denied: number] {
  const sum = (counts: number[]) => counts.reduce((one, other) => one + other, 0);
  return [
    sum(buckets.map(({ allowed }) => allowed)),
    sum(buckets.map(({ denied }) => denied.permission_denied ?? 0)),
  ];
}

async function askAll(stack: Stack, key: string): Promise<number[]> {
  const answers = ['/', '/a', '/b', '/write/a', '/write/b'].map((path) =>
    send(stack.envoy.url, path, [['authorization', `Bearer ${key}`]]),
  );
  return (await Promise.all(answers)).map(({ status }) => status);
}
