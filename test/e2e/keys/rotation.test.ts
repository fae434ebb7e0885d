import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { freshDatabase } from '../../real/mongod.ts';
import { type Postern, startPostern } from '../../real/postern.ts';
import { until } from '../../real/until.ts';
import { checkRequest, sendCheck } from '../check-client.ts';
import { startChangedStack } from '../routes.ts';
import { admin, type MadeKey, makeKey, type Stack, send } from '../stack.ts';

interface Rotated extends MadeKey {
  readonly rotated_key: { readonly id: string; readonly expires_at: string };
}

const stores = {
  SQLite: () => 'sqlite::memory:',
  MongoDB: () => freshDatabase(inject('mongoUri')).uri,
};

describe.each(Object.keys(stores) as (keyof typeof stores)[])('behind Envoy, on %s', (name) => {
  let stack: Stack;
  beforeAll(async () => {
    const store = { POSTERN_STORE: stores[name]() };
    stack = await startChangedStack('usage_flush_interval: 200ms\n', store, { routes: [] });
  });
  afterAll(() => stack?.stop());

  const rotate = async ({ id }: MadeKey, wanted: object) => {
    const answer = await admin(stack.postern, 'POST', `/admin/api-keys/${id}/rotate`, wanted);
    return (answer as { data: Rotated }).data;
  };
  const ask = async ({ key }: MadeKey) => {
    const { status, headers, body } = await send(stack.envoy.url, '/', [['authorization', `Bearer ${key}`]]);
    const code = status === 200 ? null : (JSON.parse(body) as { error: { code: string } }).error.code;
    return { status, code, remaining: headers['x-ratelimit-remaining'] };
  };

  it('an old and a new key are both let in during the grace, and spend one rate limit', async () => {
    // A window that does not end while the test runs.
    const old = await makeKey(stack.postern, { rate_limit: { limit: 5, window: '3650d' } });
    expect(await ask(old)).toEqual({ status: 200, code: null, remaining: '4' });
    const made = await rotate(old, { grace_period: '1h' });
    const answers = [];
    for (const key of [made, old, made, old, made, old]) answers.push(await ask(key));
    expect(answers.map(({ status, remaining }) => [status, remaining])).toEqual([
      ...[3, 2, 1, 0].map((remaining) => [200, `${remaining}`]),
      ...[0, 0].map((remaining) => [429, `${remaining}`]),
    ]);
  });

  it('the use of an old key during its grace shows in its usage, and the rotation in the journal', async () => {
    const old = await makeKey(stack.postern);
    const made = await rotate(old, { grace_period: '1h' });
    expect([(await ask(old)).status, (await ask(old)).status, (await ask(made)).status]).toEqual([
      200, 200, 200,
    ]);
    const allowed = async ({ id }: { id: string }) => {
      const { data } = (await admin(stack.postern, 'GET', `/admin/api-keys/${id}/usage`)) as {
        data: { buckets: { allowed: number }[] };
      };
      return data.buckets.reduce((sum, bucket) => sum + bucket.allowed, 0);
    };
    await until('the use is told', async () => (await allowed(old)) === 2 && (await allowed(made)) === 1);
    const { data } = (await admin(stack.postern, 'GET', `/admin/audit-events?target=${old.id}`)) as {
      data: { action: string; after: { made?: { id: string } } }[];
    };
    expect(data.map(({ action }) => action)).toEqual(['RotateKey', 'CreateKey']);
    expect(data[0]?.after.made?.id).toBe(made.id);
  });

  it('after its grace an old key has expired, and not before; the new one goes on', async () => {
    const old = await makeKey(stack.postern);
    const asked = Date.now();
    const made = await rotate(old, { grace_period: '2s' });
    const answered = Date.now();
    const refused = await until('the old key is refused', async () => {
      const began = Date.now();
      const answer = await ask(old);
      // Whatever began after the end was told so.
      if (answer.status === 200) expect(began).toBeLessThan(answered + 2_000);
      return answer.status !== 200 && { answer, at: Date.now() };
    });
    expect(refused.answer).toMatchObject({ status: 401, code: 'expired_api_key' });
    expect(refused.at).toBeGreaterThanOrEqual(asked + 2_000);
    expect((await ask(made)).status).toBe(200);
    const { data } = (await admin(stack.postern, 'GET', `/admin/api-keys/${old.id}`)) as {
      data: { state: string; expires_at: string };
    };
    expect(data).toMatchObject({ state: 'expired', expires_at: made.rotated_key.expires_at });
  });

  it('an old key without a grace is refused when the answer is there', async () => {
    const old = await makeKey(stack.postern);
    expect((await ask(old)).status).toBe(200);
    const made = await rotate(old, {});
    expect(await ask(old)).toMatchObject({ status: 401, code: 'expired_api_key' });
    expect((await ask(made)).status).toBe(200);
  });
});

describe('on two replicas of one MongoDB', () => {
  let replicas: readonly [Postern, Postern];
  beforeAll(async () => {
    const { uri } = freshDatabase(inject('mongoUri'));
    const start = (id: string) => startPostern({ POSTERN_STORE: uri, POSTERN_REPLICA_ID: id });
    replicas = await Promise.all([start('one'), start('other')]);
  });
  afterAll(() => Promise.all((replicas ?? []).map((replica) => replica.stop())));

  const reasons = (key: string) =>
    Promise.all(
      replicas.map(async ({ check }) => {
        const request = checkRequest({ authorization: `Bearer ${key}` }, '198.51.100.7', {
          permissions: 'write',
        });
        const { code, reason } = await sendCheck(`${check.host}:${check.port}`, request);
        return code === 0 ? null : reason;
      }),
    );

  it.each([
    ['takes a permission away', { permissions: ['read'] }, 'permission_denied'],
    ['narrows the allowlist', { ip_allowlist: ['192.0.2.0/24'] }, 'address_denied'],
  ])('a PATCH that %s holds on both by effective_at', async (_, change, reason) => {
    const [one] = replicas;
    const { id, key } = await makeKey(one, { permissions: ['read', 'write'] });
    expect(await reasons(key)).toEqual([null, null]);
    const { data } = (await admin(one, 'PATCH', `/admin/api-keys/${id}`, change)) as {
      data: { effective_at: string; unconfirmed_replicas: string[] };
    };
    const answered = Date.now();
    if (data.unconfirmed_replicas.length === 0)
      expect(Date.parse(data.effective_at)).toBeLessThanOrEqual(answered);
    else await until('it holds', () => Date.now() >= Date.parse(data.effective_at));
    expect(await reasons(key)).toEqual([reason, reason]);
  });

  it('a rotation on one ends the old key on both, and its successor is allowed by both', async () => {
    const [one] = replicas;
    const { id, key } = await makeKey(one, { permissions: ['write'] });
    expect(await reasons(key)).toEqual([null, null]);
    const { data } = (await admin(one, 'POST', `/admin/api-keys/${id}/rotate`)) as {
      data: { key: string; effective_at: string; unconfirmed_replicas: string[] };
    };
    if (data.unconfirmed_replicas.length > 0) {
      await until('it holds', () => Date.now() >= Date.parse(data.effective_at));
    }
    expect(await reasons(key)).toEqual(['expired', 'expired']);
    expect(await reasons(data.key)).toEqual([null, null]);
  });

  it('a rotation that both are asked for at once, under one request id, gives one secret', async () => {
    const [one] = replicas;
    const { id } = await makeKey(one);
    const wanted = { grace_period: '1h', request_id: 'r-1' };
    const answers = (await Promise.all(
      [...replicas, ...replicas].map((replica) =>
        admin(replica, 'POST', `/admin/api-keys/${id}/rotate`, wanted),
      ),
    )) as { data: { id: string; key: string | null } }[];
    expect(new Set(answers.map(({ data }) => data.id)).size).toBe(1);
    expect(answers.filter(({ data }) => data.key !== null)).toHaveLength(1);
  });
});
