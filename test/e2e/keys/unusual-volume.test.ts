import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, it, onTestFinished } from 'vitest';
import { createMongoStore } from '../../../src/mongo/store.ts';
import { createSqliteStore } from '../../../src/sqlite/store.ts';
import type { Store } from '../../../src/store/store.ts';
import { freshDatabase } from '../../real/mongod.ts';
import { type Postern, patientSettings, startPostern } from '../../real/postern.ts';
import { until } from '../../real/until.ts';
import { tally } from '../../store-contract/use/usage.ts';
import { checkRequest, openCheckClient } from '../check-client.ts';
import { admin, makeKey } from '../stack.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

it('a key that is used far more than at this hour of other days is told of, on SQLite, though it is denied', async () => {
  const { folder, settings: shared } = await configured();
  // Under its name the second one goes on with the duties of the first.
  const settings = { ...shared, POSTERN_REPLICA_ID: 'postern-0' };
  const path = join(folder, 'postern.db');
  const first = await startPostern({ ...settings, POSTERN_STORE: `sqlite:${path}` });
  const made = await makeKey(first, { owner: 'acme', permissions: ['read:a'] });
  const other = await makeKey(first, { owner: 'acme' });
  await first.stop();
  const store = createSqliteStore({ path, now: Date.now });
  await store.open();
  await recordDays(store, made.id);
  await store.close();

  const postern = await startPostern({ ...settings, POSTERN_STORE: `sqlite:${path}` });
  onTestFinished(() => postern.stop());
  const use = user(postern);
  await until('it is told of', async () => {
    await Promise.all([use(other.key), use(made.key, { permissions: 'write:a' })]);
    return (await told(postern)).length > 0;
  });
  await until('its line', () => postern.logLines().some(({ event }) => event === 'key.unusual_volume'));
  const [entry] = await told(postern);
  expect(entry).toMatchObject({
    ...{ kind: 'notice', actor: null, target: made.id, target_name: made.name, owner: 'acme' },
    after: { most_before: 10, days_known: 3, requests: expect.any(Number) },
  });
  await expectOncePerDay(postern);
});

it('is told of by the figures of all replicas on MongoDB, and by one of them', async () => {
  const { settings } = await configured();
  const { uri } = freshDatabase(inject('mongoUri'));
  const replicas = await Promise.all(
    ['one', 'other'].map((name) =>
      startPostern({ ...settings, POSTERN_STORE: uri, POSTERN_REPLICA_ID: name }),
    ),
  );
  onTestFinished(async () => {
    await Promise.all(replicas.map((replica) => replica.stop()));
  });
  const [one, other] = replicas as [Postern, Postern];
  const made = await makeKey(one, { owner: 'acme' });
  const clocks = { now: Date.now, monotonic: () => performance.now() };
  const store = createMongoStore({
    uri,
    replicaId: 'history',
    stalenessMaxMs: 15_000,
    settleMaxMs: 1_000,
    ...clocks,
  });
  await store.open();
  await recordDays(store, made.id);
  await until(
    'the days before are known',
    async () => (await store.getUsage(made.id as never, 0)).length === 6,
  );
  await store.close();
  const users = replicas.map(user);
  await until('it is told of', async () => {
    await Promise.all(users.map((use) => use(made.key)));
    return (await told(other)).length > 0;
  });
  const [entry] = await told(one);
  expect(entry).toMatchObject({ target: made.id, after: { most_before: 10, days_known: 3 } });
  await expectOncePerDay(one);
});

async function configured() {
  const folder = await mkdtemp(join(tmpdir(), 'postern-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'postern.yaml');
  await writeFile(file, `${await readFile(patientSettings, 'utf8')}usage_flush_interval: 100ms\n`);
  return { folder, settings: { POSTERN_CONFIG: file } };
}

/** As the key was used in this hour, and in the next, of the three days before. */
async function recordDays(store: Store, id: string): Promise<void> {
  const hour = Math.floor(Date.now() / hourMs) * hourMs;
  const hours = [1, 2, 3].flatMap((day) => [hour - day * dayMs, hour - day * dayMs + hourMs]);
  await store.recordUsage(hours.map((at) => tally({ id } as never, { hour: at, allowed: 10 })));
}

/** By one connection: 40 requests at a time. */
function user(postern: Postern) {
  const client = openCheckClient(`${postern.check.host}:${postern.check.port}`);
  onTestFinished(() => client.close());
  return async (key: string, context: Record<string, string> = {}) => {
    const request = checkRequest({ authorization: `Bearer ${key}` }, '192.0.2.1', context);
    await Promise.all(Array.from({ length: 40 }, () => client.send(request)));
  };
}

/** A day may have ended meanwhile. */
async function expectOncePerDay(postern: Postern): Promise<void> {
  const days = (await told(postern)).map(({ after }) => (after as { hour: string }).hour.slice(0, 10));
  expect(new Set(days).size).toBe(days.length);
}

async function told(postern: Postern): Promise<Record<string, unknown>[]> {
  const body = await admin(postern, 'GET', '/admin/audit-events?notices=true&action=UnusualVolume');
  return (body as { readonly data: Record<string, unknown>[] }).data;
}
