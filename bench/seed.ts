import { createKeyIds, type KeyRecord } from '../src/key.ts';
import { createDigester, mask } from '../src/secret.ts';
import { createSqliteStore } from '../src/sqlite/store.ts';

const retentionMs = 30 * 24 * 3_600_000;

/**
 * Makes a store at `file` with `keys` in it, each active, unlimited and on the `postern` scheme, through the
 * project's own store: what the service then opens is what it would have written itself.
 */
export async function seedStore(file: string, keys: readonly string[]): Promise<void> {
  const now = () => Date.now();
  const store = createSqliteStore({ path: file, now });
  const nextId = createKeyIds(now);
  const digester = createDigester([]);
  await store.open();
  for (const [at, key] of keys.entries()) {
    const named = { id: nextId(), digest: digester.sign(key), name: `bench ${at}`, ...mask(key, 'pst_live_') };
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
  version: 1,
} satisfies Partial<KeyRecord>;
