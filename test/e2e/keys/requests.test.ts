import { beforeAll, describe, expect, inject, it } from 'vitest';
import { freshDatabase } from '../../real/mongod.ts';
import type { Postern } from '../../real/postern.ts';
import { startChangedStack } from '../routes.ts';
import { admin, makeKey, type Stack, send } from '../stack.ts';

const stores = {
  SQLite: () => 'sqlite::memory:',
  MongoDB: () => freshDatabase(inject('mongoUri')).uri,
};

describe.each(Object.keys(stores) as (keyof typeof stores)[])('the log of requests, on %s', (name) => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startChangedStack('usage_flush_interval: 200ms\n', { POSTERN_STORE: stores[name]() });
    return () => stack.stop();
  });

  it('has each request that came through Envoy with a key, and those without, with no secret in it', async () => {
    const { id, key } = await makeKey(stack.postern);
    const authorized: [string, string][] = [['authorization', `Bearer ${key}`]];
    for (let times = 0; times < 3; times++)
      await send(stack.envoy.url, `/v1/things?page=${times}`, authorized);
    await send(stack.envoy.url, `/v1/${key}/x`, authorized);
    await send(stack.envoy.url, '/v1/nobody', []);
    await expect.poll(async () => countOf(await rowsOf(stack.postern, `api-keys/${id}/requests`))).toBe(4);
    const rows = await rowsOf(stack.postern, `api-keys/${id}/requests`);
    const things = rows.filter(({ path }) => path === '/v1/things');
    expect(countOf(things)).toBe(3);
    expect(things[0]).toMatchObject({
      ...{ key_id: id, method: 'GET', address: '127.0.0.1', decision: 'allow' },
      ...{ reason: null, status: 200, scheme: 'postern', environment: 'live' },
    });
    expect(rows.map(({ path }) => path)).toContain(`/v1/${key.slice(0, 13)}…/x`);
    const denied = 'requests?decision=deny&reason=missing';
    await expect.poll(async () => countOf(await rowsOf(stack.postern, denied))).toBe(1);
    expect(await rowsOf(stack.postern, denied)).toMatchObject([
      { key_id: null, path: '/v1/nobody', status: 401 },
    ]);
    expect(JSON.stringify(await rowsOf(stack.postern, 'requests'))).not.toContain(key.slice(13));
  });
});

type Row = { count: number; path: string | null; key_id: string | null };

async function rowsOf(postern: Postern, path: string): Promise<Row[]> {
  return ((await admin(postern, 'GET', `/admin/${path}`)) as { data: Row[] }).data;
}

function countOf(rows: readonly Row[]): number {
  return rows.reduce((sum, { count }) => sum + count, 0);
}
