import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type Store, StoreUnavailable } from '../../../src/store/store.ts';
import { checkRequest, sendCheck } from '../../e2e/check-client.ts';
import { startConfigured } from '../../e2e/routes.ts';
import { admin, makeKey } from '../../e2e/stack.ts';
import { freshDatabase, type Mongo, startReplicaSet } from '../../real/mongod.ts';
import { until } from '../../real/until.ts';
import { keyRecord } from '../../records.ts';
import { nextId, testNow } from '../../store-contract/setting.ts';
import { createSetting, type Setting } from '../setting.ts';
import { failCommands, timesEntered } from './fail-point.ts';

let mongo: Mongo;
beforeAll(async () => {
  mongo = await startReplicaSet({ own: true, args: ['--setParameter', 'enableTestCommands=1'] });
});
afterAll(() => mongo?.stop());

/** Every read takes longer than a Check waits, by the server's own clock, too: it gives such a read up. */
const slow = { failCommands: ['find'], blockConnection: true, blockTimeMS: 400 };

async function openStore(timeouts: { findKeyMs: number; operationMs?: number }) {
  const setting = await createSetting(mongo.uri);
  const store = setting.store({ timeouts });
  await store.open();
  return { setting, store };
}

const window = { spender: 'a', windowStart: testNow, windowEnd: testNow + 60_000 };

describe('on a MongoDB that is slow', () => {
  const reads: [name: string, (store: Store, asker?: 'check') => Promise<unknown>][] = [
    ['findKey', (store, asker) => store.findKey([keyRecord().digest], asker)],
    ['getOwner', (store, asker) => store.getOwner('acme', asker)],
    ['getRole', (store, asker) => store.getRole('reader', asker)],
  ];
  it.each(reads)('%s ends at its deadline for a Check, and is answered for all others', async (_, read) => {
    const { setting, store } = await openStore({ findKeyMs: 150 });
    await failCommands(setting, slow);
    const asked = [read(store, 'check'), read(store), read(store, 'check'), read(store)];
    const answers = await Promise.allSettled(asked);
    const late = { status: 'rejected', reason: expect.any(StoreUnavailable) };
    const answered = { status: 'fulfilled', value: null };
    expect(answers).toEqual([late, answered, late, answered]);
  });

  it('what only admin calls read is answered', async () => {
    const { setting, store } = await openStore({ findKeyMs: 150 });
    await failCommands(setting, slow);
    expect(await store.countUnits([window])).toEqual([0]);
    expect(await store.getPortalSession('portal')).toBeNull();
  });
});

describe('reads of others that hang', () => {
  const hang = { failCommands: ['find'], blockConnection: true, blockTimeMS: 60_000 };
  const reads: [name: string, atOnce: number, (store: Store, asker?: 'check') => Promise<unknown>][] = [
    ['keys', 4, (store, asker) => store.findKey([keyRecord({ id: nextId() }).digest], asker)],
    ['owners', 2, (store, asker) => store.getOwner('acme', asker)],
    ['roles', 2, (store, asker) => store.getRole('reader', asker)],
  ];
  it.each(reads)('hold up no read of %s for a Check', async (name, atOnce, read) => {
    const { setting, store } = await openStore({ findKeyMs: 60_000, operationMs: 60_000 });
    const namespace = `${setting.client.db().databaseName}.${name}`;
    const before = await timesEntered(setting);
    await failCommands(setting, { ...hang, namespace }, { times: atOnce });
    let ended = 0;
    const ask = () =>
      void read(store)
        .catch(() => {})
        .finally(() => ended++);
    // As many as are under way at once, each in a call of its own, and one that waits for its turn.
    for (let place = 1; place <= atOnce; place++) {
      ask();
      await until(`${place} hang`, async () => (await timesEntered(setting)) >= before + place);
    }
    ask();
    expect(await read(store, 'check')).toBeNull();
    expect(ended).toBe(0);
    await until('none hangs', () => killHanging(setting, name));
  });
});

/** A fail point is off only when nobody waits at it any more; whether nobody does. */
async function killHanging({ client }: Setting, collection: string): Promise<boolean> {
  const database = client.db('admin');
  const wanted = { 'command.find': collection, 'command.$db': client.db().databaseName };
  const hanging = await database
    .aggregate([{ $currentOp: {} }, { $match: wanted }], { readConcern: { level: 'local' } })
    .toArray();
  await Promise.all(hanging.map(({ opid }) => database.command({ killOp: 1, op: opid })));
  return hanging.length === 0;
}

describe('a service on a MongoDB that is slow', () => {
  it('answers admin calls, while a Check whose key is not in memory is told that it is unavailable', async () => {
    const { uri } = freshDatabase(mongo.uri);
    const setting = await createSetting(mongo.uri);
    const hasty = 'check: { store_timeout: 150ms }\n';
    const postern = await startConfigured(hasty, { POSTERN_STORE: uri });
    onTestFinished(() => postern.stop());
    await admin(postern, 'PUT', '/admin/owners/acme', { plan: null });
    await admin(postern, 'PUT', '/admin/roles/reader', { permissions: ['read:a'] });
    const grants = { permissions: ['admin:write'], scheme: 'postern' };
    const caller = await makeKey(postern, grants);
    const stop = await failCommands(setting, slow);

    const made = await fetch(`${postern.url}/admin/api-keys`, {
      method: 'POST',
      headers: { authorization: `Bearer ${caller.key}` },
      body: JSON.stringify({ name: 'slow', owner: 'acme', roles: ['reader'] }),
    });
    const { data } = (await made.json()) as { data: { id: string; key: string } };
    expect(made.status).toBe(201);
    const verified = await admin(postern, 'POST', '/admin/api-keys:verify', { key: data.key });
    expect(verified).toMatchObject({ data: { allowed: true, key_id: data.id } });
    expect(await admin(postern, 'GET', `/admin/api-keys/${data.id}/limits`)).toMatchObject({ data: [] });

    const address = `${postern.check.host}:${postern.check.port}`;
    const check = () => sendCheck(address, checkRequest({ authorization: `Bearer ${data.key}` }));
    expect((await check()).reason).toBe('unavailable');
    await stop();
    await until('it is allowed', async () => (await check()).code === 0);
  });
});
