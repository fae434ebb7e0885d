import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it, onTestFinished } from 'vitest';
import type { KeyId } from '../../src/keys/key.ts';
import { createDisk } from '../../src/sqlite/disk.ts';
import type { UnitLeaseRequest } from '../../src/store/units.ts';
import { insertAll, journalDraft, listChain, testNow } from '../store-contract/setting.ts';
import { createStoreFile } from './setting.ts';

const windowMs = 60_000;

it('has a lease, and an entry of the journal, in the log of the file when it answers, so that a crash does not undo it', async () => {
  const file = createStoreFile();
  const store = await file.open();
  await store.leaseUnits(request('key_1', 7));
  await store.appendJournal([journalDraft({ action: 'RevokeKey' })]);
  const copy = join(tmpdir(), `postern-storm-${process.pid}.db`);
  const suffixes = ['', '-wal'];
  onTestFinished(() => {
    for (const suffix of [...suffixes, '-shm']) rmSync(`${copy}${suffix}`, { force: true });
  });
  // What is there now is what a process that is killed leaves.
  for (const suffix of suffixes) writeFileSync(`${copy}${suffix}`, readFileSync(`${file.path}${suffix}`));
  const database = new DatabaseSync(copy);
  expect(database.prepare('SELECT leased FROM limits').all()).toEqual([{ leased: 7 }]);
  expect(database.prepare('SELECT action FROM journal').all()).toEqual([{ action: 'RevokeKey' }]);
  database.close();
});

it('waits for the disk once for all who wait at the same time, and tells them where it fails', async () => {
  const file = createStoreFile();
  await (await file.open()).close();
  const database = new DatabaseSync(file.path);
  database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; COMMIT');
  const disk = await createDisk(database, file.path);
  onTestFinished(() => database.close());
  disk.write(() => database.exec("INSERT INTO meta (name, value) VALUES ('a', 'b')"));
  const waits = Array.from({ length: 50 }, () => disk.durable());
  expect(new Set(waits).size).toBe(1);
  await Promise.all(waits);
  await disk.close();
  await expect(disk.durable()).rejects.toThrow('could not be brought to the disk');
});

it('writes many entries and addresses in parts, between which others have the thread', async () => {
  const store = await createStoreFile().open();
  const drafts = Array.from({ length: 500 }, (_, at) => journalDraft({ target: String(at), once: `o${at}` }));
  expect(await turnsDuring(() => store.appendJournal([...drafts, ...drafts]))).toBeGreaterThan(15);
  const entries = await listChain(store);
  expect(entries.map(({ target }) => target)).toEqual(drafts.map(({ target }) => target));

  const keys = await insertAll(
    store,
    Array.from({ length: 500 }, () => ({})),
  );
  const uses = (address: string) => keys.map(({ id }) => ({ key: id as KeyId, address }));
  expect(await store.noteAddresses(uses('192.0.2.1'))).toEqual([]);
  let fresh: unknown;
  const turns = await turnsDuring(async () => {
    fresh = await store.noteAddresses(uses('192.0.2.2'));
  });
  expect(turns).toBeGreaterThan(3);
  expect(fresh).toEqual(uses('192.0.2.2'));
});

function request(spender: string, units = 1): UnitLeaseRequest {
  const window = { windowStart: testNow, windowEnd: testNow + windowMs };
  return { spender, ...window, limit: 1_000, units, unitsMin: 1 };
}

async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  let isOver = false;
  const count = () => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  await work();
  isOver = true;
  return turns;
}
