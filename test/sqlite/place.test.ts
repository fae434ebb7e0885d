import { copyFileSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { StoreUnavailable } from '../../src/store/store.ts';
import type { StoreTrouble } from '../../src/store/trouble.ts';
import { until } from '../real/until.ts';
import { keyRecord } from '../records.ts';
import { insertAll, retentionMs } from '../store-contract/setting.ts';
import { createStoreFile } from './setting.ts';

/** What may happen to the file under the service, and is not seen by writing to it. */
const losses: readonly (readonly [what: string, lose: (path: string) => void])[] = [
  ['is deleted', (path) => rmSync(path)],
  ['is moved away', (path) => renameSync(path, `${path}.moved`)],
  [
    'is replaced',
    (path) => {
      copyFileSync(path, `${path}.new`);
      renameSync(`${path}.new`, path);
    },
  ],
  ['loses its write-ahead log', (path) => rmSync(`${path}-wal`)],
];

describe.each(losses)('a database file that %s', (_, lose) => {
  it('has no change acknowledged from the same moment on', async () => {
    const { file, store, lost } = await setUp({ lookEveryMs: 3_600_000 });
    lose(file.path);
    const refused = store.insertKey(keyRecord(), retentionMs);
    await expect(refused).rejects.toMatchObject({ name: 'StoreUnavailable', trouble: 'lost' });
    expect(lost).toEqual([true]);
  });

  it('is noticed without a change, and is what doctor says', async () => {
    const { file, store, lost } = await setUp({ lookEveryMs: 5 });
    lose(file.path);
    await until('it', () => lost.length > 0);
    await expect(store.appendJournal([])).rejects.toThrow(StoreUnavailable);
    expect(await store.diagnose()).toMatchObject([
      { level: 'error', code: 'store.file_lost', where: file.path },
    ]);
  });

  it('lets memory answer for as long as any outage does, and no longer', async () => {
    const { file, store, lost } = await setUp({ lookEveryMs: 5, stalenessMaxMs: 300 });
    lose(file.path);
    await until('it', () => lost.length > 0);
    expect(store.feed.isFresh()).toBe(true);
    await until('the end of it', () => !store.feed.isFresh());
  });
});

it('a database file that comes back to its place is taken again', async () => {
  const { file, store, lost } = await setUp({ lookEveryMs: 5 });
  renameSync(file.path, `${file.path}.moved`);
  await until('it', () => lost.length > 0);
  renameSync(`${file.path}.moved`, file.path);
  await until('it again', () => lost.length > 1);
  await store.insertKey(keyRecord(), retentionMs);
  expect([lost, store.feed.isFresh()]).toEqual([[true, false], true]);
});

it('a service that ends leaves a database alone that took the place of its own', async () => {
  const { file, store } = await setUp({ lookEveryMs: 3_600_000 });
  for (const suffix of ['', '-wal']) renameSync(`${file.path}${suffix}`, `${file.path}${suffix}.moved`);
  const other = new DatabaseSync(file.path);
  other.exec('PRAGMA journal_mode = WAL; CREATE TABLE one (a); INSERT INTO one VALUES (1)');
  const log = readFileSync(`${file.path}-wal`);
  await store.close();
  expect(readFileSync(`${file.path}-wal`)).toEqual(log);
  other.close();
});

it('a damaged page is told as damage, to the log and by doctor, and not as a store that is away', async () => {
  const file = createStoreFile();
  const keys = await insertAll(
    await file.open(),
    Array.from({ length: 2_000 }, () => ({ name: 'n'.repeat(200) })),
  );
  await file.tamper('PRAGMA wal_checkpoint(TRUNCATE)');
  const { size } = statSync(file.path);
  const descriptor = openSync(file.path, 'r+');
  // All but the first pages, which say what the tables are.
  for (let at = Math.ceil(size / 4 / 4_096) * 4_096; at < size; at += 4_096) {
    writeSync(descriptor, Buffer.alloc(64, 0xa5), 0, 64, at);
  }
  const told: StoreTrouble[] = [];
  const store = await file.open({ onTrouble: (trouble) => told.push(trouble) });
  const found = await Promise.allSettled(keys.map(({ digest }) => store.findKey([digest])));
  const damaged = found.filter(({ status }) => status === 'rejected');
  expect(damaged.length).toBeGreaterThan(0);
  for (const one of damaged) expect(one).toMatchObject({ reason: { trouble: 'damaged' } });
  expect(told).toEqual(['damaged']);
  expect(await store.diagnose()).toContainEqual(
    expect.objectContaining({ level: 'error', code: 'store.damaged' }),
  );
});

it('a file that cannot grow any more is told as full', async () => {
  const file = createStoreFile();
  const told: StoreTrouble[] = [];
  // The limit is of the connection: it is set by what makes the tables.
  const { migrations } = await import('../../src/sqlite/migrations.ts');
  const store = await file.open({
    migrations: [...migrations, { readerMin: 1, statements: 'PRAGMA max_page_count = 80' }],
    onTrouble: (trouble) => told.push(trouble),
  });
  const insert = () => store.insertKey(keyRecord({ name: 'n'.repeat(200) }), retentionMs);
  const fill = async () => {
    for (let at = 0; at < 1_000; at++) await insert();
  };
  await expect(fill()).rejects.toMatchObject({ trouble: 'full' });
  await expect(insert()).rejects.toMatchObject({ trouble: 'full' });
  expect(told).toEqual(['full']);
  expect(await store.diagnose()).toContainEqual(expect.objectContaining({ code: 'store.disk_full' }));
});

async function setUp(given: { lookEveryMs: number; stalenessMaxMs?: number }) {
  const file = createStoreFile();
  const lost: boolean[] = [];
  const store = await file.open({ ...given, onLost: (isLost) => lost.push(isLost) });
  return { file, store, lost };
}
