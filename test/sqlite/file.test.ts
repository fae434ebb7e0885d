import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { KeyRecord } from '../../src/keys/key.ts';
import { base62, createDigester, randomText } from '../../src/keys/secret.ts';
import { createSqliteStore, type SqliteStoreDependencies } from '../../src/sqlite/store.ts';
import { BadRecord, type Store, StoreUnavailable } from '../../src/store/store.ts';
import { keyRecord } from '../records.ts';
import { dayMs, insertAll, listIds, nextId, retentionMs, testNow } from '../store-contract/setting.ts';

const run = promisify(execFile);

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-sqlite-'));
  path = join(folder, 'data', 'postern.db');
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Closed when the test has finished. */
async function openStore(dependencies: Partial<SqliteStoreDependencies> = {}): Promise<Store> {
  const store = createSqliteStore({ path, now: () => testNow, ...dependencies });
  onTestFinished(() => store.close());
  await store.open();
  return store;
}

/** What another process would run. */
function script(body: string): string[] {
  const from = (file: string) => JSON.stringify(new URL(file, import.meta.url).href);
  return [
    '--input-type=module',
    '--eval',
    `import { createSqliteStore } from ${from('../../src/sqlite/store.ts')};
     import { keyRecord } from ${from('../records.ts')};
     const store = createSqliteStore({ path: ${JSON.stringify(path)}, now: Date.now });
     await store.open();
     ${body}`,
  ];
}

/** Changes the file behind the store's back, while no store has it open. */
function tamper(sql: string): void {
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
}

describe('the file of a SQLite store', () => {
  it('serves one process: a second is refused, and told what to do', async () => {
    await openStore();
    const second = run(process.execPath, script(''));
    await expect(second).rejects.toThrow(
      `${path} is in use by another process; SQLite serves one process, use MongoDB for a fleet`,
    );
  });

  it('serves one store: a second in the same process is refused until the first is closed', async () => {
    const first = await openStore();
    await expect(openStore()).rejects.toThrow('is in use by another process');
    await first.close();
    await openStore();
  });

  it('has everything that was inserted before the process was killed', async () => {
    const body = `
      const keys = [keyRecord(), keyRecord()];
      for (const key of keys) await store.insertKey(key, 1);
      process.stdout.write(keys.map(({ id }) => id).join(), () => process.kill(process.pid, 'SIGKILL'));`;
    const child = spawn(process.execPath, script(body), { stdio: ['ignore', 'pipe', 'inherit'] });
    let written = '';
    child.stdout.on('data', (chunk) => {
      written += chunk;
    });
    expect(await once(child, 'close')).toEqual([null, 'SIGKILL']);
    expect(await listIds(await openStore())).toEqual(written.split(',').reverse());
  });

  it('is for its owner alone, and so are its folder and its journal', async () => {
    const store = await openStore();
    await insertAll(store, [{}]);
    const modes = readdirSync(join(folder, 'data')).map(
      (name) => statSync(join(folder, 'data', name)).mode & 0o777,
    );
    expect(modes.length).toBeGreaterThan(1);
    expect(new Set(modes)).toEqual(new Set([0o600]));
    expect(statSync(join(folder, 'data')).mode & 0o777).toBe(0o700);
  });

  it('is made private when it was not', async () => {
    await (await openStore()).close();
    chmodSync(path, 0o644);
    await openStore();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('holds no secret', async () => {
    const store = await openStore();
    const secret = randomText(base62, 43);
    const digest = createDigester([]).sign(secret);
    await insertAll(store, [{ digest }]);
    const files = readdirSync(join(folder, 'data'), { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => readFileSync(join(folder, 'data', name)));
    expect(files.some((bytes) => bytes.includes(digest))).toBe(true);
    expect(files.some((bytes) => bytes.includes(secret))).toBe(false);
  });

  it('is refused, and left alone, when it is no database', async () => {
    await (await openStore()).close();
    writeFileSync(path, 'something else '.repeat(100));
    await expect(openStore()).rejects.toThrow(`${path} is not a SQLite database, or is damaged`);
    expect(readFileSync(path, 'utf8')).toMatch(/^something else/);
  });

  it('is refused when a newer version of Postern wrote it', async () => {
    await (await openStore()).close();
    tamper("PRAGMA user_version = 999; UPDATE meta SET value = '998' WHERE name = 'reader_min'");
    await expect(openStore()).rejects.toThrow(`${path} was written by a newer version of Postern`);
  });

  it('is refused with its path when it cannot be made', async () => {
    writeFileSync(join(folder, 'data'), '');
    await expect(openStore()).rejects.toThrow(`${path} could not be opened`);
  });

  it('is refused at once where the system lets nobody make a folder, and told what to do', async () => {
    const store = createSqliteStore({ path: '/proc/postern/postern.db', now: () => testNow });
    await expect(store.open()).rejects.toThrow(/^\/proc\/postern\/postern\.db could not be opened: ENOENT/);
    const readOnly = createSqliteStore({ path: '/sys/postern/postern.db', now: () => testNow });
    await expect(readOnly.open()).rejects.toThrow(
      'Postern writes to the file and its folder: let it, or name',
    );
  });

  it('tells that it is damaged, and never that a key is unknown, where a page of it was overwritten', async () => {
    const first = await openStore();
    const keys = await insertAll(first, Array(500).fill({}));
    await first.close();
    const database = new DatabaseSync(path, { readOnly: true });
    // All behind the definitions and the first pages of tables.
    const last = database.prepare('SELECT max(rootpage) AS page FROM sqlite_schema').get();
    database.close();
    const bytes = readFileSync(path);
    bytes.fill(0xff, Number(last?.page) * 4_096);
    writeFileSync(path, bytes);
    const store = await openStore();
    const asked = await Promise.all(
      keys.map(({ digest }) => store.findKey([digest]).catch((error: Error) => error)),
    );
    const damaged = asked.filter((answer) => answer instanceof StoreUnavailable);
    expect(damaged.length).toBeGreaterThan(0);
    expect(damaged[0]?.message).toBe('the database file is damaged; restore a backup');
    expect(asked.filter((answer) => answer === null)).toEqual([]);
  });
});

describe('a record whose time to be purged has come', () => {
  it('is removed at open, and one that is kept for longer is not', async () => {
    const first = await openStore();
    const ended = [{ revokedAt: testNow }, { expiresAt: testNow }, { revokedAt: testNow + 1 }, {}];
    const ids = (await insertAll(first, ended)).map(({ id }) => id);
    await first.close();
    const later = await openStore({ now: () => testNow + retentionMs });
    expect(await listIds(later)).toEqual([ids[3], ids[2]]);
  });

  it('is removed within a minute, however many there are, and the subscriber is told', async () => {
    vi.useFakeTimers({ toFake: ['setInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    let now = testNow;
    const store = createSqliteStore({ path: ':memory:', now: () => now });
    onTestFinished(() => store.close());
    const removed: string[] = [];
    store.feed.subscribe({
      onChange: (id, digest) => digest === null && removed.push(id),
      onRoleChange() {},
      onOwnerChange() {},
      onGap() {},
    });
    await store.open();
    const keys = await insertAll(store, Array(1_201).fill({ expiresAt: testNow }));
    now += retentionMs;
    await vi.advanceTimersByTimeAsync(60_000);
    await expect.poll(() => removed).toHaveLength(keys.length);
    expect(removed.sort()).toEqual(keys.map(({ id }) => id));
    expect(await listIds(store)).toEqual([]);
  });
});

describe('a record that cannot be read', () => {
  const damages = [
    "UPDATE keys SET record = '{'",
    "UPDATE keys SET record = 'null'",
    "UPDATE keys SET record = json_remove(record, '$.permissions')",
    "UPDATE keys SET record = json_set(record, '$.permissions', 'admin:write')",
    "UPDATE keys SET record = json_set(record, '$.rateLimit', json('{}'))",
    'UPDATE keys SET version = 0',
  ];

  for (const damage of damages) {
    it(`is broken and spoils itself alone: ${damage}`, async () => {
      const first = await openStore();
      const [older, damaged, newer] = await insertAll(first, Array(3).fill({ permissions: ['read'] }));
      await first.close();
      tamper(`${damage} WHERE id = '${damaged?.id}'`);

      const onBadRecord = vi.fn();
      const store = await openStore({ onBadRecord });
      await expect(store.getKey(record(damaged).id)).rejects.toThrow(BadRecord);
      await expect(store.findKey([record(damaged).digest])).rejects.toThrow(BadRecord);
      expect(await store.getKey(record(older).id)).toMatchObject({ id: older?.id });
      // The page is as long as it should be: a short one would be taken for the last.
      const page = await store.listKeys({ now: testNow }, { before: null, size: 2 });
      expect(page.map(({ id }) => id)).toEqual([newer?.id, older?.id]);
      expect(onBadRecord).toHaveBeenCalledExactlyOnceWith(damaged?.id, expect.any(BadRecord));
      expect(await listIds(store, { permission: 'read' })).toEqual([newer?.id, older?.id]);
    });
  }
});

function record(key: KeyRecord | undefined): KeyRecord {
  return key ?? keyRecord({ id: nextId(), expiresAt: testNow + dayMs });
}
