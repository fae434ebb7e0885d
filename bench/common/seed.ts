import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createKeyIds, type KeyRecord } from '../../src/keys/key.ts';
import { createDigester, mask } from '../../src/keys/secret.ts';
import { createMongoStore } from '../../src/mongo/store.ts';
import { createSqliteStore } from '../../src/sqlite/store.ts';
import { insertsMax, type Store } from '../../src/store/store.ts';

/** The keys that a service has. */
export interface SeedKeys {
  readonly active: readonly string[];
  readonly revoked: readonly string[];
  /** Others, with what their records have that those of active keys do not. */
  readonly more?: readonly { readonly keys: readonly string[]; readonly record: Partial<KeyRecord> }[];
  /** What the records of active ones have besides. */
  readonly record?: Partial<KeyRecord>;
}

/** Of a thousand keys, on a machine that does something else. */
const seedTimeoutMs = 60_000;
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

/** Makes a database at `uri` with `keys` in it. */
export async function seedMongo(uri: string, keys: SeedKeys): Promise<void> {
  const store = createMongoStore({
    ...{ uri, replicaId: 'bench', stalenessMaxMs: 15_000, settleMaxMs: 1_000 },
    ...{ now: Date.now, monotonic: () => performance.now() },
    timeouts: { operationMs: seedTimeoutMs },
  });
  await store.open();
  await seedStore(store, keys);
  await store.close();
}

/** Inserts keys on the `postern` scheme, unlimited where their records say no other, into a store that is open. */
export async function seedStore(store: Pick<Store, 'insertKeys'>, keys: SeedKeys): Promise<void> {
  const nextId = createKeyIds(Date.now);
  const digester = createDigester([]);
  const recordOf = (key: string, at: number, more: Partial<KeyRecord>): KeyRecord => {
    const id = nextId();
    const now = Date.now();
    const names = { id, spender: id, digest: digester.sign(key), name: `bench ${at}` };
    return {
      ...recordTemplate,
      ...names,
      ...mask(key, 'pst_live_'),
      createdAt: now,
      updatedAt: now,
      ...more,
    };
  };
  const insert = async (secrets: readonly string[], more: Partial<KeyRecord>) => {
    for (let at = 0; at < secrets.length; at += insertsMax) {
      const batch = secrets.slice(at, at + insertsMax);
      const records = batch.map((key, place) => recordOf(key, at + place, more));
      const refused = await store.insertKeys(records, retentionMs);
      if (refused.length > 0) throw new Error(`${refused.length} keys were not taken by the store`);
    }
  };
  await insert(keys.active, keys.record ?? {});
  await insert(keys.revoked, { revokedAt: Date.now() });
  for (const { keys: secrets, record } of keys.more ?? []) await insert(secrets, record);
}

/** What the record of a key has where nothing else is said. */
export const recordTemplate = {
  scheme: 'postern',
  environment: 'live',
  owner: 'bench',
  permissions: ['read', 'write'],
  roles: [],
  ipAllowlist: [],
  principals: [],
  plan: null,
  rateLimits: [],
  labels: {},
  lastUsedAt: null,
  expiresAt: null,
  disabledAt: null,
  revokedAt: null,
  rotatedFrom: null,
  rotatedTo: null,
  requestKey: null,
  externalId: null,
  createdBy: null,
  importId: null,
  revivedAt: null,
  version: 1,
} satisfies Partial<KeyRecord>;
