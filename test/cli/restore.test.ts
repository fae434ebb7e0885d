import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { MongoClient } from 'mongodb';
import { expect, inject, it, onTestFinished } from 'vitest';
import { keyDraft } from '../../src/changes/key-change.ts';
import { auditJson, type Origin } from '../../src/journal/journal.ts';
import type { KeyRecord } from '../../src/keys/key.ts';
import { createMongoStore } from '../../src/mongo/store.ts';
import type { RestorableStore } from '../../src/restore/restore-mark.ts';
import { createSqliteStore } from '../../src/sqlite/store.ts';
import { yieldToOthers } from '../../src/time/yield-to-others.ts';
import { freshDatabase } from '../real/mongod.ts';
import { keyRecord } from '../records.ts';
import { nextId, retentionMs } from '../store-contract/setting.ts';
import { postern } from './console.ts';

const origin: Origin = { actor: 'a', action: 'CreateKey', address: null, requestId: null };

/** A folder with a SQLite store that is open, and one to restore into. */
async function createSetting() {
  const folder = mkdtempSync(join(tmpdir(), 'postern-restore-'));
  const path = join(folder, 'postern.db');
  const backup = join(folder, 'backup.db');
  const files: Record<string, string> = {};
  const open = async () => {
    const store = createSqliteStore({ path, now: Date.now });
    onTestFinished(() => store.close());
    await store.open();
    return store;
  };
  const run = (...argv: string[]) =>
    postern(argv, { environment: { POSTERN_STORE: `sqlite:${path}` }, files });
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return { folder, path, backup, files, open, run, store: await open() };
}

async function make(store: RestorableStore, overrides: Partial<KeyRecord> = {}): Promise<KeyRecord> {
  const key = keyRecord({ id: nextId(), ...overrides });
  await store.insertKey(key, retentionMs, keyDraft(origin, null, key, { at: Date.now() }));
  return key;
}

async function revoke(store: RestorableStore, key: KeyRecord): Promise<void> {
  const after = { ...key, revokedAt: Date.now(), version: 2 };
  const draft = keyDraft({ ...origin, action: 'RevokeKey' }, key, after, { at: Date.now() });
  await store.replaceKey(after, 1, retentionMs, draft);
}

async function exportOf(store: RestorableStore): Promise<string[]> {
  const entries = await store.listJournal({}, { order: 'oldest', after: null, size: 1_000 });
  return entries.map((entry) => JSON.stringify(auditJson(entry)));
}

it('a store that no service has open is backed up as it is, into one private file', async () => {
  const { folder, backup, run, store } = await createSetting();
  await make(store);
  await store.close();
  const done = await run('backup', backup);
  expect(done).toMatchObject({ exitCode: 0, stderr: '' });
  expect(done.stdout).toMatch(
    /backup\.db, no service has it open: 1 key, and the audit log up to evt_0{15}1:/,
  );
  expect(statSync(backup).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder).filter((name) => name.startsWith('backup'))).toEqual(['backup.db']);
});

it('a backup of a store that is written to all the while is whole', async () => {
  const { backup, run, store } = await createSetting();
  for (let made = 0; made < 50; made++) await make(store);
  let isDone = false;
  const writing = (async () => {
    for (; !isDone; await yieldToOthers()) await make(store);
  })();
  const done = await run('backup', backup);
  isDone = true;
  await writing;
  expect(done).toMatchObject({ exitCode: 0, stderr: '' });
  const copy = new DatabaseSync(backup, { readOnly: true });
  onTestFinished(() => copy.close());
  const count = (table: string) => copy.prepare(`SELECT count(*) AS count FROM ${table}`).get()?.count;
  expect(count('keys')).toBeGreaterThanOrEqual(50);
  expect(count('journal')).toBe(count('keys'));
  expect(copy.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
});

it('a backup that cannot be made says why, and leaves nothing', async () => {
  const { folder, path, backup, run, store } = await createSetting();
  writeFileSync(backup, 'mine');
  const memory = { POSTERN_STORE: 'sqlite::memory:' };
  const mongo = { POSTERN_STORE: 'mongodb://localhost/postern' };
  const outcomes = [
    await run('backup', backup),
    await run('backup', join(folder, 'nowhere', 'backup.db')),
    await run('backup', join(folder, 'new.db'), '--store', `sqlite:${join(folder, 'none.db')}`),
    await postern(['backup', 'x'], { environment: memory }),
    await postern(['backup', 'x'], { environment: mongo }),
  ];
  expect(outcomes.map(({ exitCode, stderr }) => [exitCode, stderr.split('\n')[0]])).toEqual([
    [1, `postern: ${backup} is there already; name a new file`],
    [1, expect.stringMatching(/^postern: .*ENOENT/)],
    [1, `postern: there is no database ${join(folder, 'none.db')}`],
    [2, 'postern: the store is in memory, and ends with its process'],
    [2, 'postern: the store is MongoDB, which has tools of its own for this'],
  ]);
  await store.close();
  expect(readdirSync(folder).toSorted()).toEqual(['backup.db', 'postern.db']);
  expect(path).toContain('postern.db');
});

it('a restore is refused while a service has the database, and of what is no backup; nothing is changed', async () => {
  const { folder, path, backup, run, store } = await createSetting();
  const key = await make(store);
  await run('backup', backup);
  const inUse = await run('restore', 'from', backup);
  await store.close();
  const text = join(folder, 'text');
  writeFileSync(text, 'no database '.repeat(500));
  const foreign = join(folder, 'foreign.db');
  const other = new DatabaseSync(foreign);
  other.exec('CREATE TABLE cats (name TEXT)');
  other.close();
  const outcomes = [
    inUse,
    await run('restore', 'from', text),
    await run('restore', 'from', foreign),
    await run('restore', 'from', join(folder, 'none')),
  ];
  expect(outcomes.map(({ exitCode, stderr }) => [exitCode, stderr.split('\n')[0]])).toEqual([
    [1, `postern: ${path} is in use by another process; stop the service first`],
    [1, `postern: ${text} is not an SQLite database, or is damaged`],
    [1, `postern: ${foreign} is not a database of Postern`],
    [1, `postern: there is no file ${join(folder, 'none')}`],
  ]);
  expect(await (await openAt(path)).getKey(key.id)).toMatchObject({ id: key.id });
});

it('what a restore replaces is kept beside it', async () => {
  const { folder, path, backup, run, store } = await createSetting();
  await run('backup', backup);
  const key = await make(store);
  await store.close();
  const { stdout } = await run('restore', 'from', backup);
  const [kept = ''] = readdirSync(folder).filter((name) => name.startsWith('postern.db.before-'));
  expect(stdout).toContain(`what was there is kept as ${join(folder, kept)}`);
  expect(await (await openAt(join(folder, kept))).getKey(key.id)).toMatchObject({ id: key.id });
  await expect(openAt(path)).rejects.toThrow('the store was restored from a backup at');
});

it('an export that has a gap, is changed or ends before the backup is refused, and the store stays marked', async () => {
  const { path, backup, files, run, store } = await createSetting();
  const keys = [await make(store), await make(store), await make(store)];
  await run('backup', backup);
  for (const key of keys) await revoke(store, key);
  const lines = await exportOf(store);
  await store.close();
  await run('restore', 'from', backup);

  const cases: readonly (readonly [lines: string[], says: RegExp])[] = [
    [lines.slice(4), /the backup ends with evt_0{15}3, and the file begins with evt_0{15}5/],
    [lines.toSpliced(4, 1), /evt_0{15}5 is missing/],
    [lines.with(4, (lines[4] ?? '').replace('RevokeKey', 'EnableKey')), /evt_0{15}5 .* was changed/],
    [lines.slice(0, 2), /the end was cut off: evt_0{15}3 was there/],
    [['no event'], /line 1 is not an event/],
  ];
  for (const [changed, says] of cases) {
    files.log = `${changed.join('\n')}\n`;
    const { exitCode, stderr } = await run('restore', 'replay', 'log');
    expect([exitCode, stderr]).toEqual([1, expect.stringMatching(says)]);
  }
  files.log = `${lines.slice(4).join('\n')}\n`;
  const partial = await run('restore', 'replay', 'log', '--partial');
  expect(partial).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('stays marked as restored') });
  await expect(openAt(path)).rejects.toThrow('the store was restored');

  files.log = `${lines.join('\n')}\n`;
  const whole = await run('restore', 'replay', 'log');
  expect(whole).toMatchObject({ exitCode: 0, stderr: '' });
  expect(whole.stdout).toContain(`revoked ${keys[0]?.id} (evt_0000000000000004)\n3 changes`);
  expect((await run('restore', 'replay', 'log')).stdout).toContain('is not marked as restored');
  const served = await openAt(path);
  for (const { id } of keys) expect(await served.getKey(id)).toMatchObject({ revokedAt: expect.any(Number) });
});

it('lost changes may be accepted, which the journal keeps', async () => {
  const { path, backup, run, store } = await createSetting();
  const key = await make(store);
  await run('backup', backup);
  await revoke(store, key);
  await store.close();
  await run('restore', 'from', backup);
  expect(await run('restore', 'accept')).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^accepted: what was changed after evt_0{15}1:[0-9a-f]{64} is lost;/),
  });
  const served = await openAt(path);
  expect(await served.getKey(key.id)).toMatchObject({ revokedAt: null });
  const [last] = await served.listJournal({}, { order: 'newest', after: null, size: 1 });
  expect(last).toMatchObject({ action: 'RestoreStore', actor: 'postern restore' });
  await served.close();
  expect((await run('restore', 'accept')).stdout).toContain('there is nothing to accept');
});

it('a MongoDB database that was restored is marked, replayed and served again', async () => {
  const { name, uri } = freshDatabase(inject('mongoUri'));
  const client = await new MongoClient(uri).connect();
  onTestFinished(async () => {
    await client.db(name).dropDatabase();
    await client.close();
  });
  const store = createMongoStore({
    ...{ uri, replicaId: 'a', stalenessMaxMs: 15_000, settleMaxMs: 1_000 },
    ...{ now: Date.now, monotonic: () => performance.now() },
  });
  onTestFinished(() => store.close());
  await store.open();
  const key = await make(store);
  const dump = await Promise.all(
    ['keys', 'journal', 'meta'].map(async (collection) => ({
      collection,
      documents: await client.db(name).collection(collection).find().toArray(),
    })),
  );
  await revoke(store, key);
  const files = { log: `${(await exportOf(store)).join('\n')}\n` };
  await store.close();
  await client.db(name).dropDatabase();
  for (const { collection, documents } of dump)
    await client.db(name).collection(collection).insertMany(documents);

  const run = (...argv: string[]) => postern(argv, { environment: { POSTERN_STORE: uri }, files });
  const marked = await run('restore', 'mark');
  expect(marked.stdout).toMatch(/^marked as restored; the audit log ends with evt_0{15}1:/);
  await expect(store.open()).rejects.toThrow('the store was restored from a backup');
  const replayed = await run('restore', 'replay', 'log');
  expect(replayed).toMatchObject({ exitCode: 0, stderr: '' });
  expect(replayed.stdout).toContain(`revoked ${key.id}`);
  await store.open();
  expect(await store.getKey(key.id)).toMatchObject({ revokedAt: expect.any(Number) });
});

async function openAt(path: string): Promise<RestorableStore> {
  const store = createSqliteStore({ path, now: Date.now });
  onTestFinished(() => store.close());
  await store.open();
  return store;
}
