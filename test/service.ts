import { type Admin, createAdmin } from '../src/admin/admin.ts';
import { createHolder, type Holder } from '../src/admin/holder/holder.ts';
import { createIdentify, type Identity } from '../src/admin/identity.ts';
import type { PortalTerms } from '../src/admin/people/portal-operations.ts';
import { createTickets, type Tickets } from '../src/admin/people/tickets.ts';
import { createKeyring, type Keyring } from '../src/cache/keyring.ts';
import { createDigestUpgrade, type DigestUpgrade } from '../src/changes/digest-upgrade.ts';
import { createLastWriterGuard } from '../src/changes/last-writer.ts';
import { createRegistry, type Registry } from '../src/changes/registry.ts';
import { type Authorize, createAuthorize } from '../src/check/authorize.ts';
import { forHolder } from '../src/check/judges.ts';
import { createRules } from '../src/check/rules.ts';
import { createJournalTail, type JournalTail, waking } from '../src/events/journal-tail.ts';
import { createRefusals, type Refusals } from '../src/events/refusals.ts';
import type { KeyRule } from '../src/keys/key-rules.ts';
import { createDigester, type Digester, type Pepper, Secret } from '../src/keys/secret.ts';
import { createCharging } from '../src/limits/charging.ts';
import { createLimiter, type Limiter } from '../src/limits/limiter.ts';
import { createPlans } from '../src/limits/plan.ts';
import { createStandings } from '../src/limits/standings.ts';
import { readPresets } from '../src/presets/read.ts';
import type { Scheme } from '../src/schemes/scheme.ts';
import { createSqliteStore } from '../src/sqlite/store.ts';
import type { Store } from '../src/store/store.ts';
import { createUsage, type Usage } from '../src/usage/usage.ts';

/** The whole core over a store, wired as `serve` wires it, with a clock that tests set. */
export interface TestService {
  readonly store: Store;
  readonly keyring: Keyring;
  readonly authorize: Authorize;
  readonly registry: Registry;
  readonly admin: Admin;
  /** What keys may do for themselves. */
  readonly holder: Holder;
  /** The denials and calls of it that were counted. */
  readonly held: { readonly failures: [string, string][]; readonly calls: [string, string][] };
  readonly tail: JournalTail;
  readonly schemes: readonly [Scheme, ...Scheme[]];
  readonly digester: Digester;
  /** Not started: tests flush it. */
  readonly upgrade: DigestUpgrade;
  /** Unix milliseconds; starts at the real time and stands still. */
  readonly clock: { now: number };
  /** Not started: tests flush it. */
  readonly usage: Usage;
  readonly tickets: Tickets<Identity>;
  readonly refusals: Refusals;
  /** The value of an `Authorization` header with all rights. */
  readonly adminAuthorization: string;
}

export interface TestServiceOptions {
  /** Opened here; SQLite in memory unless it is given. */
  readonly store?: Store;
  /** None unless they are given; the first signs. */
  readonly peppers?: readonly Pepper[];
  /** Behind the presets. */
  readonly schemes?: readonly Scheme[];
  readonly keyRules?: readonly KeyRule[];
  /** Where a console would be; by default where a request says. */
  readonly portal?: PortalTerms;
  /** Whether someone may change everything whatever becomes of the keys, as `POSTERN_ADMIN_KEY` may. */
  readonly hasOtherWriter?: boolean;
  /** Whether callers can show a certificate. */
  readonly asksForCertificates?: boolean;
  /** Told of refused calls that could not be journalled; throws unless it is given. */
  readonly onRefusalLost?: (error: unknown) => void;
}

export async function createTestService(given: TestServiceOptions = {}): Promise<TestService> {
  const { hasOtherWriter = true, asksForCertificates = false, onRefusalLost = rethrow } = given;
  const clock = { now: Date.now() };
  const now = () => clock.now;
  const plain = given.store ?? createSqliteStore({ path: ':memory:', now });
  const tail = createJournalTail({ store: plain, onError() {} }, { pollMs: 50 });
  const store = waking(plain, tail.wake);
  const presets = readPresets();
  const schemes = [...presets.values(), ...(given.schemes ?? [])] as [Scheme, ...Scheme[]];
  const digester = createDigester(given.peppers ?? []);
  const upgrade = createDigestUpgrade({ store, onError: rethrow }, { flushMs: 1_000, changesMax: 1_000 });
  const findKey = upgrade.watch(store.findKey);
  const keyring = createKeyring(
    { store: { ...store, findKey }, feed: store.feed, missBudget: { read: (_, find) => find() } },
    { keysMax: 1_000, missesMax: 1_000, ownersMax: 1_000, readsMax: 100 },
  );
  await store.open();
  const adminKey = `test-admin-${'x'.repeat(32)}`;
  const environment = 'live';
  const plans = createPlans(new Map());
  const policy = () => ({ keySchemes: schemes, environment, plans, keyRules: given.keyRules ?? [] });
  const limiter = createLimiter(store, { spendersMax: 1_000, allowWhenUnavailable: true });
  const judging = { keyring, digester, schemes, environment, plans, findRule: createRules([]), now };
  const authorize = createAuthorize({ ...judging, ...limiter });
  const held = async (windows: Parameters<Limiter['held']>[0]) => limiter.held(windows);
  const charged = async (counts: readonly Readonly<Parameters<Limiter['charged']>>[]) => {
    for (const count of counts) limiter.charged(...count);
  };
  const standings = createStandings({ store, held });
  const charge = createCharging({ store, held, charged, now });
  const dryRun = createAuthorize({ ...judging, spend: standings.look, look: standings.look });
  const registry = createRegistry({ store, digester, policy, now }, { retentionMs: 30 * 86_400_000 });
  const fixedKey = new Secret(adminKey);
  const tickets = createTickets<Identity>();
  const identify = createIdentify({
    ...{ keyring, digester, scheme: schemes[0], fixedKey, clients: [], tickets, now },
  });
  const usage = createUsage(
    { store, onError: rethrow, onDropped() {} },
    { flushMs: 1_000, talliesMax: 1_000 },
  );
  const ways = { adminScheme: schemes[0].name, asksForCertificates };
  const guard = createLastWriterGuard({ store, hasOtherWriter, ...ways });
  const refusals = createRefusals({ store, monotonic: now, onError: onRefusalLost });
  const heldCalls: TestService['held'] = { failures: [], calls: [] };
  const holder = createHolder({
    ...{ registry, store, keyring, standings, charge, policy, guard, refusals, now },
    authorize: createAuthorize(forHolder({ ...judging, spend: standings.look, look: standings.look })),
    countFailure: (reason, address) => heldCalls.failures.push([reason, address]),
    count: (operation, outcome) => heldCalls.calls.push([operation, outcome]),
  });
  const admin = createAdmin({
    findings: () => [],
    noteUse: (key, reason, address) => usage.count(key, reason, address, clock.now),
    identify,
    registry,
    store,
    digester,
    refusals,
    ...{ tail, monotonic: now, replicaId: 'test-replica' },
    guard,
    waysIn: { ...ways, fixedKey: hasOtherWriter, client: false, oidc: false },
    authorize: dryRun,
    ...{ keyring, standings, charge },
    policy,
    now,
    portal: given.portal ?? {
      ...{ origin: null, isSecure: false, returnOrigins: ['https://portal.example.com'] },
      ownOrigin: () => null,
    },
  });
  return {
    store,
    keyring,
    authorize,
    registry,
    admin,
    holder,
    held: heldCalls,
    tail,
    schemes,
    digester,
    upgrade,
    usage,
    clock,
    tickets,
    refusals,
    adminAuthorization: `Bearer ${adminKey}`,
  };
}

function rethrow(error: unknown): never {
  throw error;
}
