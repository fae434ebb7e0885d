import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it, onTestFinished } from 'vitest';
import { openDatabase } from '../../src/sqlite/database.ts';
import { createDisk } from '../../src/sqlite/disk.ts';
import { migrations } from '../../src/sqlite/migrations.ts';
import { createSqliteStore } from '../../src/sqlite/store.ts';
import { createTables } from '../../src/sqlite/tables.ts';
import { type Store, usageRetentionMs } from '../../src/store/store.ts';
import type { UsageTally } from '../../src/store/usage/usage-tally.ts';
import { keyRecord } from '../records.ts';
import { insertAll, nextId, testNow } from '../store-contract/setting.ts';
import { tally } from '../store-contract/use/usage.ts';

const hourMs = 3_600_000;

it('adds what the version before wrote of an hour to what is written of it now, and keeps its hours', async () => {
  const file = createFile();
  const key = keyRecord({ id: nextId() });
  file.tamper((database) => {
    for (const { statements } of migrations.slice(0, 2)) database.exec(statements);
    database.exec('PRAGMA user_version = 2');
    insertFormerKey(database, key.id);
    recordAsBefore(database, tally(key, { hour: testNow - hourMs, allowed: 7 }));
    recordAsBefore(database, tally(key, { allowed: 1, addresses: ['192.0.2.1'], lastUsedAt: testNow + 5 }));
  });
  const store = await file.open();
  const more = {
    allowed: 2,
    denied: { expired: 1 },
    addresses: ['192.0.2.2'],
    lastUsedAt: testNow + 3,
  } as const;
  await store.recordUsage([tally(key, more)]);
  expect(await store.getUsage(key.id, 0)).toEqual([
    tally(key, { hour: testNow - hourMs, allowed: 7 }),
    tally(key, {
      ...{ allowed: 3, denied: { expired: 1 }, lastUsedAt: testNow + 5 },
      addresses: ['192.0.2.1', '192.0.2.2'],
    }),
  ]);
});

it('goes on after the version before, which sees a last use of the same hour and moves it on', async () => {
  const file = createFile();
  const store = await file.open();
  const [key] = await insertAll(store, [{}]);
  if (key === undefined) throw new Error('no key was made');
  for (const at of [1, 2]) await store.recordUsage([tally(key, { allowed: 1, lastUsedAt: testNow + at })]);
  await store.close();
  file.tamper((database) => {
    expect(database.prepare("SELECT value FROM meta WHERE name = 'reader_min'").get()).toEqual({
      value: '2',
    });
    const row = database.prepare('SELECT last_used_at FROM keys').get();
    expect(Math.floor(Number(row?.last_used_at) / hourMs)).toBe(testNow / hourMs);
    recordAsBefore(database, tally(key, { allowed: 4, lastUsedAt: testNow + 9 }));
  });
  const again = await file.open();
  const lastUse = async () => (await again.getKey(key.id))?.lastUsedAt;
  expect(await lastUse()).toBe(testNow + 9);
  await again.recordUsage([tally(key, { allowed: 1, lastUsedAt: testNow + 8 })]);
  expect(await lastUse()).toBe(testNow + 9);
  await again.recordUsage([tally(key, { allowed: 1, lastUsedAt: testNow + 10 })]);
  expect(await lastUse()).toBe(testNow + 10);
  expect((await again.getUsage(key.id, 0)).map(({ allowed }) => allowed)).toEqual([8]);
});

it('notes with each key the hour of its use alone, so that those in use stand side by side in the index of it', async () => {
  const file = createFile();
  const store = await file.open();
  const keys = await insertAll(store, [{}, {}, {}]);
  const uses = keys.map((key, at) => ({ key, lastUsedAt: testNow + 7 - 2 * at }));
  await store.recordUsage(uses.map(({ key, lastUsedAt }) => tally(key, { allowed: 1, lastUsedAt })));
  for (const { key, lastUsedAt } of uses) expect((await store.getKey(key.id))?.lastUsedAt).toBe(lastUsedAt);
  await store.close();
  file.tamper((database) => {
    const rows = database.prepare('SELECT id FROM keys WHERE last_used_at = ?').all(testNow);
    expect(rows).toHaveLength(keys.length);
  });
});

it('keeps the last use of a key to the millisecond when the hour of it is removed', async () => {
  const file = createFile();
  const store = await file.open();
  const keys = await insertAll(store, Array(601).fill({}));
  for (const at of [1, 7]) {
    await store.recordUsage(keys.map((key) => tally(key, { allowed: 1, lastUsedAt: testNow + at })));
  }
  await store.close();
  const later = await file.open(testNow + usageRetentionMs + hourMs);
  for (const key of keys) {
    expect(await later.getUsage(key.id, 0)).toEqual([]);
    expect((await later.getKey(key.id))?.lastUsedAt).toBe(testNow + 7);
  }
});

it('knows the last use of each of many keys that were used for the first time', async () => {
  const store = await createFile().open();
  const keys = await insertAll(store, Array(70).fill({}));
  await store.recordUsage(keys.map((key) => tally(key, { allowed: 1, lastUsedAt: testNow + 1 })));
  const found = await store.listKeys({ now: testNow }, { before: null, size: 100 });
  expect(found.map(({ lastUsedAt }) => lastUsedAt)).toEqual(keys.map(() => testNow + 1));
});

it('finds the last use of an hour whose first requests were denied', async () => {
  const store = await createFile().open();
  const [key] = await insertAll(store, [{}]);
  if (key === undefined) throw new Error('no key was made');
  await store.recordUsage([tally(key, { denied: { rate_limited: 1 } })]);
  expect((await store.getKey(key.id))?.lastUsedAt).toBe(null);
  for (const at of [3, 5]) {
    await store.recordUsage([tally(key, { allowed: 1, lastUsedAt: testNow + at })]);
    expect((await store.getKey(key.id))?.lastUsedAt).toBe(testNow + at);
    expect((await store.listKeys({ now: testNow }, { before: null, size: 1 }))[0]?.lastUsedAt).toBe(
      testNow + at,
    );
  }
});

it('lets others have the thread while it writes many, and while it looks through many hours', async () => {
  const store = await createFile().open();
  const key = { id: nextId() };
  const hours = Array.from({ length: 1_000 }, (_, at) =>
    tally(key, { hour: testNow + at * hourMs, allowed: 1 }),
  );
  expect(await turnsDuring(() => store.recordUsage(hours))).toBeGreaterThan(2);
  expect(await turnsDuring(() => store.getUsage(key.id, 0))).toBeGreaterThan(2);
  expect(await store.getUsage(key.id, testNow + hourMs)).toEqual(hours.slice(1));
});

it('keeps what is committed after use durable at once: the log is waited for again', async () => {
  const file = createFile();
  const database = file.openTables();
  const synchronous = () => database.prepare('PRAGMA synchronous').get()?.synchronous;
  const full = synchronous();
  const { usage } = createTables(database, await createDisk(database, ':memory:'), {
    now: () => testNow,
    onBadRecord() {},
  });
  await usage.record([tally({ id: nextId() }, { allowed: 1 })]);
  expect(synchronous()).toBe(full);
  const tooMany = { ...tally({ id: nextId() }), allowed: Number.NaN };
  await expect(usage.record([tooMany])).rejects.toThrow();
  expect([synchronous(), full]).toEqual([2, 2]);
});

/** As the second version of the tables was written to. */
function recordAsBefore(database: DatabaseSync, { key, hour, lastUsedAt, ...counts }: UsageTally): void {
  database
    .prepare('INSERT INTO usage VALUES (?, ?, ?, ?)')
    .run(key, hour, JSON.stringify(counts), lastUsedAt);
  database.prepare('UPDATE keys SET last_used_at = ? WHERE id = ?').run(lastUsedAt, key);
}

function insertFormerKey(database: DatabaseSync, id: string): void {
  database
    .prepare(
      `INSERT INTO keys (id, digest, version, scheme, environment, name_folded, record)
       VALUES (?, 'a digest', 1, 'postern', 'live', 'a key', '{}')`,
    )
    .run(id);
}

async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  let isDone = false;
  const done = work().finally(() => {
    isDone = true;
  });
  while (!isDone) {
    await new Promise((resolve) => setImmediate(resolve));
    turns++;
  }
  await done;
  return turns;
}

function createFile() {
  const folder = mkdtempSync(join(tmpdir(), 'postern-usage-'));
  const path = join(folder, 'postern.db');
  const closing: (() => unknown)[] = [];
  onTestFinished(async () => {
    for (const close of closing) await close();
    rmSync(folder, { recursive: true });
  });
  return {
    async open(now = testNow): Promise<Store> {
      const store = createSqliteStore({ path, now: () => now });
      closing.push(() => store.close());
      await store.open();
      return store;
    },
    openTables(): DatabaseSync {
      const database = openDatabase(path);
      closing.push(() => database.close());
      return database;
    },
    /** While no store has it open. */
    tamper(work: (database: DatabaseSync) => void): void {
      const database = new DatabaseSync(path);
      work(database);
      database.close();
    },
  };
}
