import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it, onTestFinished } from 'vitest';
import { diagnoseFile } from '../../src/sqlite/diagnosis.ts';
import { createSqliteStore } from '../../src/sqlite/store.ts';
import type { Finding } from '../../src/store/diagnosis/finding.ts';

const brief = (found: readonly Finding[]) => found.map(({ level, code, where }) => ({ level, code, where }));
const kind = { level: 'info', code: 'store.kind', where: null };

function newFolder(): string {
  const folder = join(mkdtempSync(join(tmpdir(), 'postern-diagnosis-')), 'data');
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function opened(path: string) {
  const store = createSqliteStore({ path, now: Date.now });
  await store.open();
  onTestFinished(() => store.close());
  return store;
}

it('finds nothing wrong with a file that the store has made, and says what it is', async () => {
  const found = await (await opened(join(newFolder(), 'postern.db'))).diagnose();
  expect(brief(found)).toEqual([kind]);
  expect(found[0]?.what).toMatch(/^The store is SQLite \d+\.\d+\.\d+\.$/);
});

it('says that a store in memory does not last', async () => {
  const found = await (await opened(':memory:')).diagnose();
  expect(brief(found)).toEqual([{ level: 'info', code: 'store.memory', where: null }]);
  expect(found[0]?.what).toContain('gone when the service ends');
});

it('finds a file that others may read, and a folder that others may write, with what to do', async () => {
  const folder = newFolder();
  const path = join(folder, 'postern.db');
  const store = await opened(path);
  chmodSync(path, 0o644);
  chmodSync(folder, 0o777);
  const found = await store.diagnose();
  expect(found.slice(1)).toMatchObject([
    { level: 'warning', code: 'store.file_rights', where: path, cure: `chmod 0600 ${path}` },
    { level: 'warning', code: 'store.file_rights', where: folder, cure: `chmod 0700 ${folder}` },
  ]);
  expect(found[1]?.what).toContain('0644');
});

const much = 2 ** 40;
it.each([
  ['on NFS', { type: 0x6969, freeBytes: much }, ['error store.network_file']],
  ['in memory', { type: 0x01021994, freeBytes: much }, ['warning store.memory_file']],
  ['with little room', { type: 0xef53, freeBytes: 2 ** 29 }, ['warning store.disk']],
  ['with hardly any room', { type: 0xef53, freeBytes: 2 ** 20 }, ['error store.disk']],
  ['on ext4', { type: 0xef53, freeBytes: much }, []],
] as const)('judges a disk %s', (_, fileSystem, finds) => {
  const folder = newFolder();
  mkdirSync(folder, { mode: 0o700 });
  const path = join(folder, 'a.db');
  const database = new DatabaseSync(path);
  onTestFinished(() => database.close());
  database.exec('PRAGMA journal_mode = WAL');
  chmodSync(path, 0o600);
  const found = diagnoseFile(database, path, () => fileSystem);
  expect(found.slice(1).map(({ level, code }) => `${level} ${code}`)).toEqual(finds);
  for (const { where } of found.slice(1)) expect(where).toBe(folder);
});

it('finds a database whose file system does not let it have a write-ahead log', () => {
  const folder = newFolder();
  mkdirSync(folder, { mode: 0o700 });
  const path = join(folder, 'a.db');
  const plain = new DatabaseSync(path);
  onTestFinished(() => plain.close());
  plain.exec('CREATE TABLE a (b)');
  chmodSync(path, 0o600);
  const found = diagnoseFile(plain, path, () => ({ type: 0xef53, freeBytes: much }));
  expect(brief(found)).toEqual([kind, { level: 'warning', code: 'store.journal_mode', where: null }]);
});
