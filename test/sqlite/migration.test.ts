import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it, onTestFinished } from 'vitest';
import { migrations } from '../../src/sqlite/migrations.ts';
import { createSqliteStore } from '../../src/sqlite/store.ts';
import type { Store } from '../../src/store/store.ts';
import { keyRecord } from '../records.ts';
import {
  expectSameKey,
  journalDraft,
  listActions,
  listIds,
  nextId,
  retentionMs,
  testNow,
} from '../store-contract/setting.ts';

it('a file of the first version is brought up to date, one record in it that cannot be read too', async () => {
  const key = keyRecord({ id: nextId(), permissions: ['read', 'write'], labels: { team: 'a' } });
  const bad = keyRecord({ id: nextId() });
  const store = await openedOnFirstVersion([
    { ...key, record: recordOf(key) },
    { ...bad, record: '{' },
  ]);
  expectSameKey(await store.getKey(key.id), key);
  for (const permission of ['read', 'write']) expect(await listIds(store, { permission })).toEqual([key.id]);

  const changed = { ...key, permissions: ['write'], version: 2 };
  await store.replaceKey(changed, 1, retentionMs, journalDraft({ action: 'UpdateKey' }));
  expect(await listIds(store, { permission: 'read' })).toEqual([]);
  expect(await listIds(store, { permission: 'write' })).toEqual([key.id]);
  expect(await listActions(store)).toEqual(['UpdateKey']);
});

it('names and prefixes that the first version wrote are found by a search, in any Unicode form', async () => {
  const key = keyRecord({ id: nextId(), name: 'ＣＡＦE\u0301', prefix: 'pst_live_abcd', last4: 'wxyz' });
  const store = await openedOnFirstVersion([{ ...key, record: recordOf(key) }]);
  expect(await listIds(store, { nameContains: 'café' })).toEqual([key.id]);
  const shown = { kind: 'shown', text: '', prefixes: ['pst_live_abcd'], last4: 'wxyz' } as const;
  expect(await listIds(store, { search: shown })).toEqual([key.id]);
  expect(await listIds(store, { search: { kind: 'text', text: 'wxyz' } })).toEqual([key.id]);
});

it('labels that older versions wrote are found by a search, beside rows whose labels cannot be read', async () => {
  const key = keyRecord({ id: nextId(), labels: { team: 'Grid Ä' } });
  const [broken, odd] = [keyRecord({ id: nextId() }), keyRecord({ id: nextId() })];
  const store = await openedOnFirstVersion([
    { ...key, record: recordOf(key) },
    { ...broken, record: '{"labels":' },
    { ...odd, record: '{"labels":{"team":["grid"],"tier":7}}' },
  ]);
  for (const text of ['team=grid', 'grid ä'])
    expect(await listIds(store, { search: { kind: 'text', text } })).toEqual([key.id]);
});

/** What the first version wrote of a key into its JSON. */
function recordOf(key: ReturnType<typeof keyRecord>): string {
  const { name, prefix, last4, permissions, ipAllowlist, plan } = key;
  const { labels, createdAt, updatedAt, rotatedFrom } = key;
  return JSON.stringify({
    ...{ name, prefix, last4, permissions, ipAllowlist, plan, rateLimit: null },
    ...{ labels, createdAt, updatedAt, rotatedFrom },
  });
}

async function openedOnFirstVersion(
  rows: readonly (ReturnType<typeof keyRecord> & { readonly record: string })[],
): Promise<Store> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-sqlite-'));
  const path = join(folder, 'postern.db');
  const database = new DatabaseSync(path);
  database.exec(`${migrations[0]?.statements}; PRAGMA user_version = 1`);
  const insert = database.prepare(
    `INSERT INTO keys (id, digest, version, scheme, environment, name_folded, record)
     VALUES (:id, :digest, 1, 'postern', 'live', :name_folded, :record)`,
  );
  for (const { id, digest, name, record } of rows)
    insert.run({ id, digest, name_folded: name.toLowerCase(), record });
  database.close();
  const store = createSqliteStore({ path, now: () => testNow });
  onTestFinished(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });
  await store.open();
  return store;
}
