import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { freshDatabase } from '../../real/mongod.ts';
import { type Postern, startPostern } from '../../real/postern.ts';
import { checkRequest, sendCheck } from '../check-client.ts';
import { admin, makeKey } from '../stack.ts';

interface Narrowed {
  readonly effective_at: string;
  readonly unconfirmed_replicas: readonly string[];
}

describe('a role, on three replicas of one MongoDB', () => {
  let replicas: Postern[];
  beforeAll(async () => {
    const { uri } = freshDatabase(inject('mongoUri'));
    const start = (id: string) => startPostern({ POSTERN_STORE: uri, POSTERN_REPLICA_ID: id });
    replicas = (await Promise.all(['one', 'two', 'three'].map(start))) as Postern[];
  });
  afterAll(() => Promise.all((replicas ?? []).map((replica) => replica.stop())));

  it('that is narrowed on one is narrower on all, by effective_at at the latest, while keys with it are in use', async () => {
    const [one] = replicas as [Postern, Postern, Postern];
    await put(one, 'reader', ['read:*', 'write:a']);
    const { key } = await makeKey(one, { name: 'a', roles: ['reader'] });
    let narrowedAt = Infinity;
    let isOver = false;
    const late: unknown[] = [];
    const load = replicas.map(async (replica) => {
      while (!isOver) {
        const began = Date.now();
        const answer = await ask(replica, key, 'write:a');
        if (answer === 'allowed' && began > narrowedAt) late.push(answer);
      }
    });
    for (const replica of replicas) expect(await ask(replica, key, 'write:a')).toBe('allowed');
    const { effective_at, unconfirmed_replicas } = await put(one, 'reader', ['read:*']);
    narrowedAt = Date.parse(effective_at);
    expect(unconfirmed_replicas).toEqual([]);
    for (const replica of replicas) {
      expect(await ask(replica, key, 'write:a')).toBe('permission_denied');
      expect(await ask(replica, key, 'read:b|write:b')).toBe('allowed');
    }
    isOver = true;
    await Promise.all(load);
    expect(late).toEqual([]);
  });

  it('gives what it gains on all, and nothing once it is deleted', async () => {
    const [one, two] = replicas as [Postern, Postern, Postern];
    await put(one, 'editor', []);
    const { key } = await makeKey(two, { name: 'b', roles: ['editor'] });
    for (const replica of replicas) expect(await ask(replica, key, 'write:a')).toBe('permission_denied');
    await put(two, 'editor', ['write:*']);
    for (const replica of replicas) expect(await ask(replica, key, 'write:a')).toBe('allowed');
    const { data } = (await admin(one, 'DELETE', '/admin/roles/editor')) as { data: Narrowed };
    expect(data.unconfirmed_replicas).toEqual([]);
    for (const replica of replicas) expect(await ask(replica, key, 'write:a')).toBe('permission_denied');
  });
});

async function put(replica: Postern, id: string, permissions: readonly string[]): Promise<Narrowed> {
  const { data } = (await admin(replica, 'PUT', `/admin/roles/${id}`, { permissions })) as { data: Narrowed };
  return data;
}

async function ask({ check }: Postern, key: string, permissions: string): Promise<unknown> {
  const request = checkRequest({ authorization: `Bearer ${key}` }, undefined, { permissions });
  const { code, reason } = await sendCheck(`${check.host}:${check.port}`, request);
  return code === 0 ? 'allowed' : reason;
}
