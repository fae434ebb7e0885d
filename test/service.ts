import { type Admin, createAdmin } from '../src/admin.ts';
import { type Authorize, createAuthorize } from '../src/authorize.ts';
import { createIdentify } from '../src/identity.ts';
import { createKeyring, type Keyring } from '../src/keyring.ts';
import { createLimiter } from '../src/limiter.ts';
import { createPlans } from '../src/plan.ts';
import { readPresets } from '../src/presets/read.ts';
import { createRegistry, type Registry } from '../src/registry.ts';
import { createRules } from '../src/rules.ts';
import type { Scheme } from '../src/scheme.ts';
import { createDigester, type Digester, Secret } from '../src/secret.ts';
import { createSqliteStore } from '../src/sqlite/store.ts';
import type { Store } from '../src/store.ts';

/** The whole core over a store, wired as `serve` wires it, with a clock that tests set. */
export interface TestService {
  readonly store: Store;
  readonly keyring: Keyring;
  readonly authorize: Authorize;
  readonly registry: Registry;
  readonly admin: Admin;
  readonly schemes: readonly [Scheme, ...Scheme[]];
  readonly digester: Digester;
  /** Unix milliseconds; starts at the real time and stands still. */
  readonly clock: { now: number };
  /** The value of an `Authorization` header with all rights. */
  readonly adminAuthorization: string;
}

export async function createTestService(given: { readonly store?: Store } = {}): Promise<TestService> {
  const clock = { now: Date.now() };
  const now = () => clock.now;
  const store = given.store ?? createSqliteStore({ path: ':memory:', now });
  const presets = readPresets();
  const schemes = [...presets.values()] as [Scheme, ...Scheme[]];
  const digester = createDigester([]);
  const keyring = createKeyring(
    { store, feed: store.feed, missBudget: { read: (_, find) => find() } },
    { keysMax: 1_000, missesMax: 1_000, ownersMax: 1_000, readsMax: 100 },
  );
  await store.open();
  const adminKey = `test-admin-${'x'.repeat(32)}`;
  const environment = 'live';
  const plans = createPlans(new Map());
  const limiter = createLimiter(store, { spendersMax: 1_000, allowWhenUnavailable: true });
  const judging = { keyring, digester, schemes, environment, plans, findRule: createRules([]), now };
  const authorize = createAuthorize({ ...judging, spend: limiter.spend });
  const dryRun = createAuthorize({ ...judging, spend: limiter.look });
  const registry = createRegistry({ store, digester, now }, { retentionMs: 30 * 86_400_000 });
  const fixedKey = new Secret(adminKey);
  const identify = createIdentify({ keyring, digester, scheme: schemes[0], fixedKey, now });
  const admin = createAdmin({
    identify,
    registry,
    store,
    authorize: dryRun,
    plans,
    schemes,
    environment,
    now,
  });
  return {
    store,
    keyring,
    authorize,
    registry,
    admin,
    schemes,
    digester,
    clock,
    adminAuthorization: `Bearer ${adminKey}`,
  };
}
