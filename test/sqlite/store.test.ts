import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createSqliteStore } from '../../src/sqlite/store.ts';
import { describeStoreContract } from '../store-contract.ts';

describeStoreContract('SQLite in a file', async ({ now }) => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-sqlite-'));
  const path = join(folder, 'postern.db');
  let store = createSqliteStore({ path, now });
  onTestFinished(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });
  const again = async () => {
    await store.close();
    store = createSqliteStore({ path, now });
    return store;
  };
  return { store, again };
});

describeStoreContract('SQLite in memory', async ({ now }) => {
  const store = createSqliteStore({ path: ':memory:', now });
  onTestFinished(() => store.close());
  return { store, again: null };
});
