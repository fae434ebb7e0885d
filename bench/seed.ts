import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createKeyIds, type KeyRecord } from '../src/keys/key.ts';
import { createDigester, mask } from '../src/keys/secret.ts';
import { createSqliteStore } from '../src/sqlite/store.ts';
import { insertsMax, type Store } from '../src/store/store.ts';

/** The keys that a service has. */
export interface SeedKeys {
  readonly active: readonly string[];
  readonly revoked: readonly string[];
}

const retentionMs = 30 * 24 * 3_600_000;

/**
 * Makes a store at `file` with `keys` in it, through the project's own store: what the service then opens is what
 * it would have written itself. The store waits for the disk at every change, so they are written in memory where
 * the system has a file system there.
 */
export async function seedFile(file: string, keys: SeedKeys): Promise<void> {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : dirname(file), 'postern-seed-'));
  try {
    const seeded = join(folder, 'seed.db');
    const store = createSqliteStore({ path: seeded, now: Date.now });
    await store.open();
    await seedStore(store, keys);
    await store.close();
    copyFileSync(seeded, file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Inserts keys that are unlimited and on the `postern` scheme into a store that is open. */
export async function seedStore(store: Pick<Store, 'insertKeys'>, keys: SeedKeys): Promise<void> {
  const nextId = createKeyIds(Date.now);
  const digester = createDigester([]);
  const record = (key: string, at: number, revokedAt: number | null): KeyRecord => {
    const id = nextId();
    const now = Date.now();
    const own = {
      id,
      spender: id,
      digest: digester.sign(key),
      name: `bench ${at}`,
      ...mask(key, 'pst_live_'),
    };
    return { ...template, ...own, createdAt: now, updatedAt: now, revokedAt };
  };
  const insert = async (secrets: readonly string[], revokedAt: number | null) => {
    for (let at = 0; at < secrets.length; at += insertsMax) {
      const batch = secrets.slice(at, at + insertsMax);
      const refused = await store.insertKeys(
        batch.map((key, place) => record(key, at + place, revokedAt)),
        retentionMs,
      );
      if (refused.length > 0) throw new Error(`${refused.length} keys were not taken by the store`);
    }
  };
  await insert(keys.active, null);
  await insert(keys.revoked, Date.now());
}

const template = {
  scheme: 'postern',
  environment: 'live',
  owner: 'bench',
  permissions: ['read', 'write'],
  ipAllowlist: [],
  plan: null,
  rateLimit: null,
  labels: {},
  lastUsedAt: null,
  expiresAt: null,
  disabledAt: null,
  rotatedFrom: null,
  rotatedTo: null,
  requestKey: null,
  createdBy: null,
  importId: null,
  version: 1,
} satisfies Partial<KeyRecord>;
