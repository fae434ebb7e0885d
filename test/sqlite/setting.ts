import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { onTestFinished } from 'vitest';
import { createSqliteStore, type SqliteStoreDependencies } from '../../src/sqlite/store.ts';
import type { Store } from '../../src/store/store.ts';
import { testNow } from '../store-contract/setting.ts';

export interface StoreFile {
  readonly path: string;
  /** Closes what is open and opens a store on the file; it ends with the test. */
  open(given?: Partial<SqliteStoreDependencies>): Promise<Store>;
  /** Changes the file behind the store's back, while no store has it open. */
  tamper(sql: string): Promise<void>;
}

/** A file for one test. */
export function createStoreFile(): StoreFile {
  const folder = mkdtempSync(join(tmpdir(), 'postern-sqlite-'));
  const path = join(folder, 'postern.db');
  let store: Store | null = null;
  onTestFinished(async () => {
    await store?.close();
    rmSync(folder, { recursive: true });
  });
  return {
    path,
    async open(given = {}) {
      await store?.close();
      store = createSqliteStore({ path, now: () => testNow, ...given });
      await store.open();
      return store;
    },
    async tamper(sql) {
      await store?.close();
      const database = new DatabaseSync(path);
      database.exec(sql);
      database.close();
    },
  };
}
