import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it, onTestFinished } from 'vitest';
import type { Migration } from '../../src/sqlite/migration.ts';
import { migrations } from '../../src/sqlite/migrations.ts';
import { createSqliteStore } from '../../src/sqlite/store.ts';
import type { Store } from '../../src/store/store.ts';
import { insertAll, journalDraft, listIds, retentionMs, testNow } from '../store-contract/setting.ts';

const own = migrations.length;
/** Adds what this release leaves alone. */
const expanding: Migration = { readerMin: own, statements: 'ALTER TABLE keys ADD COLUMN colour TEXT;' };
/** Takes away what this release still uses. */
const contracting: Migration = { readerMin: own + 2, statements: 'DROP INDEX keys_by_prefix;' };

function createFile() {
  const folder = mkdtempSync(join(tmpdir(), 'postern-schema-'));
  const path = join(folder, 'postern.db');
  const stores: Store[] = [];
  onTestFinished(async () => {
    await Promise.all(stores.map((store) => store.close()));
    rmSync(folder, { recursive: true });
  });
  return {
    path,
    /** A store of the release that has these steps; it is closed before the next one is opened. */
    async open(steps: readonly Migration[] = migrations): Promise<Store> {
      await stores.at(-1)?.close();
      const store = createSqliteStore({ path, now: () => testNow, migrations: steps });
      stores.push(store);
      await store.open();
      return store;
    },
    /** While no store has it open. */
    async version(): Promise<number> {
      await stores.at(-1)?.close();
      const database = new DatabaseSync(path);
      const row = database.prepare('PRAGMA user_version').get();
      database.close();
      return Number(row?.user_version);
    },
  };
}

it('the release before reads and changes what the next one has added to, and that one goes on after it', async () => {
  const file = createFile();
  const [key] = await insertAll(await file.open([...migrations, expanding]), [{ permissions: ['read'] }]);
  if (key === undefined) throw new Error('no key was made');

  const before = await file.open();
  const changed = { ...key, permissions: ['write'], version: 2 };
  await before.replaceKey(changed, 1, retentionMs, journalDraft({ action: 'UpdateKey' }));
  const [made] = await insertAll(before, [{}]);
  expect(await file.version()).toBe(own + 1);

  const after = await file.open([...migrations, expanding]);
  expect(await listIds(after)).toEqual([made?.id, key.id]);
  expect(await listIds(after, { permission: 'write' })).toEqual([key.id]);
});

it('a release that cannot serve newer tables is refused by the version that they need, and changes nothing', async () => {
  const file = createFile();
  const [key] = await insertAll(await file.open([...migrations, expanding, contracting]), [{}]);
  await expect(file.open()).rejects.toThrow(
    `${file.path} was written by a newer version of Postern: its tables are of version ${own + 2} and need a ` +
      `Postern of table version ${own + 2} or later, this one is of ${own}; run the newer one, or name another file`,
  );
  expect(await file.version()).toBe(own + 2);
  expect(await listIds(await file.open([...migrations, expanding, contracting]))).toEqual([key?.id]);
});

it('tables that are newer, of which nothing says who may serve them, are refused', async () => {
  const file = createFile();
  await file.open([...migrations, expanding]);
  await file.version();
  const database = new DatabaseSync(file.path);
  database.exec("DELETE FROM meta WHERE name = 'reader_min'");
  database.close();
  await expect(file.open()).rejects.toThrow(`need a Postern of table version ${own + 1} or later`);
});

it('a step that fails in its middle leaves nothing of itself, and is made at the next open', async () => {
  const file = createFile();
  const [key] = await insertAll(await file.open(), [{}]);
  const broken = { ...expanding, statements: `${expanding.statements} INSERT INTO nowhere VALUES (1);` };
  await expect(file.open([...migrations, broken])).rejects.toThrow('no such table: nowhere');
  expect(await file.version()).toBe(own);
  expect(await listIds(await file.open([...migrations, expanding]))).toEqual([key?.id]);
  expect(await file.version()).toBe(own + 1);
  // And by the release before, which was never gone.
  expect(await listIds(await file.open())).toEqual([key?.id]);
});
