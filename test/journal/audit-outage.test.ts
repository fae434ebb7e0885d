import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import type { Admin } from '../../src/admin/admin.ts';
import type { Caller } from '../../src/admin/identity.ts';
import { createSqliteStore } from '../../src/sqlite/store.ts';
import type { Store } from '../../src/store/store.ts';
import { root, start } from '../admin-calls.ts';
import { createSetting } from '../mongo/setting.ts';
import { createTestService, type TestService } from '../service.ts';

/** A service whose journal takes no entries, with a key that was made before. */
interface Setting {
  readonly service: TestService;
  readonly id: string;
  readonly secret: string;
  /** What the store has told of failures since. */
  readonly lost: unknown[];
}

const breaks: [string, () => Promise<Setting>][] = [
  ['SQLite', brokenSqlite],
  ['MongoDB', brokenMongo],
];

const calls: [string, (admin: Admin, caller: Caller, id: string) => Promise<unknown>][] = [
  ['CreateKey', (admin, caller) => admin.createKey(caller, { name: 'Unheard of' })],
  ['CreateKey', (admin, caller) => admin.createKey(caller, { name: 'Unheard of', request_id: 'r-1' })],
  ['UpdateKey', (admin, caller, id) => admin.updateKey(caller, id, { name: 'Unheard of' })],
  ['RotateKey', (admin, caller, id) => admin.rotateKey(caller, id, { grace_period: '1h' })],
  ['DisableKey', (admin, caller, id) => admin.disableKey(caller, id)],
  ['RevokeKey', (admin, caller, id) => admin.revokeKey(caller, id)],
  ['PutOwner', (admin, caller) => admin.putOwner(caller, 'acme', { suspended: true })],
];

describe.each(breaks)('while %s takes no entries in its journal', (_, broken) => {
  it('nothing is changed, callers are told of no cause, and Checks go on', async () => {
    const { service, id, secret } = await broken();
    const { admin } = service;
    const everything = async () => [
      await admin.listKeys(root(service), {}),
      await admin.listOwners(root(service), {}),
      await admin.listAuditEvents(root(service), {}),
    ];
    const before = await everything();
    expect(before).toMatchObject([{ keys: [{ id }] }, { owners: [] }, { events: [{ action: 'CreateKey' }] }]);
    for (const [, call] of calls) {
      const error = await call(admin, root(service), id).then(
        () => 'was not refused',
        (thrown: unknown) => thrown,
      );
      // What is no Failure reaches callers as INTERNAL, or as UNAVAILABLE, without its words.
      expect(error).toBeInstanceOf(Error);
      expect(error).not.toHaveProperty('violations');
      expect(await check(service, secret)).toBe('allow');
    }
    expect(await everything()).toEqual(before);
    expect(await check(service, `${secret}x`)).toBe('malformed');
  });

  it('refused calls are refused as ever', async () => {
    const { service, id, lost } = await broken();
    const nobody = { authorization: [], address: '' };
    await expect(service.admin.revokeKey(nobody, id)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await expect(service.admin.revokeKey(root(service), 'x')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(lost).toHaveLength(2);
  });
});

async function brokenSqlite(): Promise<Setting> {
  const folder = await mkdtemp(join(tmpdir(), 'postern-journal-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'postern.db');
  // SQLite is taken exclusively: whatever is done to the file is done while no store has it open.
  return brokenAfterwards(
    () => createSqliteStore({ path, now: Date.now }),
    async () => {
      const database = new DatabaseSync(path);
      database.exec(`CREATE TRIGGER no_entries BEFORE INSERT ON journal
        BEGIN SELECT RAISE(ABORT, 'the disk of the house is full'); END`);
      database.close();
    },
  );
}

async function brokenMongo(): Promise<Setting> {
  const { client, store } = await createSetting(inject('mongoUri'), { fresh: true });
  return brokenAfterwards(store, async () => {
    const database = client.db();
    await database.command({ collMod: 'journal', validator: { no_entries: { $exists: true } } });
  });
}

/** Makes a key, closes the store, breaks its journal, and opens another on what there is. */
async function brokenAfterwards(open: () => Store, breakJournal: () => Promise<void>): Promise<Setting> {
  const before = await createTestService({ store: open() });
  const { key, secret } = await before.admin.createKey(root(before), {
    name: 'Made before',
    permissions: ['a'],
  });
  await before.store.close();
  await breakJournal();
  const lost: unknown[] = [];
  const service = await start({ store: open(), onRefusalLost: (error) => lost.push(error) });
  return { service, id: key.id, secret: secret?.reveal() ?? '', lost };
}

async function check({ authorize }: TestService, key: string): Promise<string> {
  const decision = await authorize({
    ...{ method: 'GET', host: 'api.example.com', path: '/', address: '192.0.2.1', context: new Map() },
    header: (name) => (name === 'authorization' ? [`Bearer ${key}`] : []),
    reservedHeaders: () => [],
  });
  return decision.verdict === 'deny' ? decision.reason : decision.verdict;
}
