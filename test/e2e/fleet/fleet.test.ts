import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { startEcho } from '../../real/echo.ts';
import { startEnvoy } from '../../real/envoy.ts';
import { freshDatabase } from '../../real/mongod.ts';
import { type Postern, startPostern } from '../../real/postern.ts';
import { until } from '../../real/until.ts';
import { checkRequest, sendCheck } from '../check-client.ts';
import { admin, makeKey, send } from '../stack.ts';

const stalenessMaxMs = 15_000; // the default

interface Narrowed {
  readonly effective_at: string;
  readonly unconfirmed_replicas: readonly string[];
  readonly [field: string]: unknown;
}

describe('two replicas on one MongoDB', () => {
  let one: Postern;
  let other: Postern;
  let client: MongoClient;
  beforeAll(async () => {
    const { uri } = freshDatabase(inject('mongoUri'));
    client = await new MongoClient(uri).connect();
    [one, other] = (await Promise.all(
      ['one', 'other'].map((id) => startPostern({ POSTERN_STORE: uri, POSTERN_REPLICA_ID: id })),
    )) as [Postern, Postern];
  });
  afterAll(() => Promise.all([one?.stop(), other?.stop(), client?.close()]));

  it('a key that is made on one is allowed by the other at once', async () => {
    const { key } = await makeKey(one);
    expect(await ask(other, key)).toBe('allowed');
    expect(await ask(one, key)).toBe('allowed');
  });

  it('a key that appears is allowed where it was just remembered as nobody', async () => {
    const { id, key } = await makeKey(one);
    expect([await ask(one, key), await ask(other, key)]).toEqual(['allowed', 'allowed']);
    // No caller can know a key before it is made, so it is taken away and put back behind Postern's back.
    const keys = client.db().collection<{ _id: string }>('keys');
    const record = await keys.findOneAndDelete({ _id: id });
    if (record === null) throw new Error('no record');
    for (const replica of [one, other]) {
      await expect.poll(() => ask(replica, key)).toBe('unknown');
      expect(await ask(replica, key)).toBe('unknown');
    }
    await keys.insertOne(record, { writeConcern: { w: 'majority' } });
    for (const replica of [one, other]) await expect.poll(() => ask(replica, key)).toBe('allowed');
  });

  it.each([
    ['revoked', 'DELETE', ''],
    ['disabled', 'POST', '/disable'],
  ] as const)(
    'a key that is %s on one is refused by the other, by effective_at at the latest',
    async (state, method, path) => {
      const { id, key } = await makeKey(one);
      expect([await ask(one, key), await ask(other, key)]).toEqual(['allowed', 'allowed']);
      const began = Date.now();
      const { data } = (await admin(one, method, `/admin/api-keys/${id}${path}`)) as { data: Narrowed };
      const answered = Date.now();
      expect(await ask(one, key)).toBe(state);

      const effectiveAt = Date.parse(data.effective_at);
      expect(data.effective_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      if (data.unconfirmed_replicas.length === 0) {
        expect(effectiveAt).toBeLessThanOrEqual(answered);
        expect(await ask(other, key)).toBe(state);
        return;
      }
      // On a machine that is slow, of its own change too.
      expect(['one', 'other']).toEqual(expect.arrayContaining([...data.unconfirmed_replicas]));
      expect(effectiveAt).toBeGreaterThan(began);
      expect(effectiveAt).toBeLessThanOrEqual(answered + stalenessMaxMs);
      await until('the other refuses it', async () => {
        const askedAt = Date.now();
        const answer = await ask(other, key);
        if (answer !== state) expect(askedAt).toBeLessThan(effectiveAt);
        return answer === state;
      });
    },
  );

  it('a key that is enabled again on one is allowed by the other', async () => {
    const { id, key } = await makeKey(one);
    expect(await ask(other, key)).toBe('allowed');
    await admin(one, 'POST', `/admin/api-keys/${id}/disable`);
    await expect.poll(() => ask(other, key)).toBe('disabled');
    await admin(one, 'POST', `/admin/api-keys/${id}/enable`);
    await expect.poll(() => ask(other, key)).toBe('allowed');
  });

  it('each lists what the other has made, as soon as it is made', async () => {
    const { id } = await makeKey(other, { owner: 'fleet' });
    const { data } = (await admin(one, 'GET', '/admin/api-keys?owner=fleet')) as { data: { id: string }[] };
    expect(data.map((key) => key.id)).toEqual([id]);
  });
});

it.each(['SIGTERM', 'SIGKILL'] as const)(
  'a fleet that loses a replica to %s answers every request',
  async (signal) => {
    const { uri } = freshDatabase(inject('mongoUri'));
    const started = await Promise.all([1, 2].map(() => startPostern({ POSTERN_STORE: uri })));
    const [kept, lost] = started as [Postern, Postern];
    const echo = await startEcho();
    const envoy = await startEnvoy({
      checkAddress: [kept.check, lost.check],
      upstreamAddress: echo.address,
      checkTimeoutMs: 15_000,
    });
    onTestFinished(async () => {
      await Promise.all([envoy.stop(), echo.stop(), kept.stop(), lost.stop()]);
    });
    const { key } = await makeKey(kept);
    const statuses = new Set<number>();
    let isLost = false;
    const clients = Array.from({ length: 4 }, async () => {
      for (let after = 0; after < 50; after += isLost ? 1 : 0) {
        statuses.add((await send(envoy.url, '/', [['authorization', `Bearer ${key}`]])).status);
      }
    });
    await lost.kill(signal);
    await lost.exited;
    isLost = true;
    await Promise.all(clients);
    expect([...statuses]).toEqual([200]);
  },
);

/** `allowed`, or the reason of the denial. */
async function ask({ check }: Postern, key: string): Promise<unknown> {
  const request = checkRequest({ authorization: `Bearer ${key}` });
  const { code, reason } = await sendCheck(`${check.host}:${check.port}`, request);
  return code === 0 ? 'allowed' : reason;
}
