import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createKeyIds, type KeyRecord } from '../src/key.ts';
import { createDigester, mask } from '../src/secret.ts';
import { createSqliteStore } from '../src/sqlite/store.ts';

const retentionMs = 30 * 24 * 3_600_000;

/**
 * Makes a store at `file` with `keys` in it, each active, unlimited and on the `postern` scheme, through the
 * project's own store: what the service then opens is what it would have written itself. The store waits for
 * the disk at every key, so they are written in memory where the system has a file system there.
 */
export async function seedStore(file: string, keys: readonly string[]): Promise<void> {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : dirname(file), 'postern-seed-'));
  try {
    const seeded = join(folder, 'seed.db');
    await insertKeys(seeded, keys);
    copyFileSync(seeded, file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function insertKeys(file: string, keys: readonly string[]): Promise<void> {
  const now = () => Date.now();
  const store = createSqliteStore({ path: file, now });
  const nextId = createKeyIds(now);
  const digester = createDigester([]);
  await store.open();
  for (const [at, key] of keys.entries()) {
    const id = nextId();
    const named = {
      id,
      spender: id,
      digest: digester.sign(key),
      name: `bench ${at}`,
      ...mask(key, 'pst_live_'),
    };
    await store.insertKey({ ...template, ...named, createdAt: now(), updatedAt: now() }, retentionMs);
  }
  await store.close();
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
  revokedAt: null,
  rotatedFrom: null,
  rotatedTo: null,
  requestKey: null,
  version: 1,
} satisfies Partial<KeyRecord>;
