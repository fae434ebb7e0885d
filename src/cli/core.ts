import { createAdmin } from '../admin.ts';
import { createAuthorize } from '../authorize.ts';
import { type CheckStore, withBreakers } from '../breaker.ts';
import type { Config } from '../config.ts';
import { createDigestUpgrade } from '../digest-upgrade.ts';
import { createGithubLeaks } from '../github-leaks.ts';
import { type AdminClient, adminWrite, createIdentify } from '../identity.ts';
import { createJournalTail, type JournalTail, waking } from '../journal-tail.ts';
import { createKeyring } from '../keyring.ts';
import { createLastWriterGuard } from '../last-writer.ts';
import { createLimiter } from '../limiter.ts';
import { createMissBudget } from '../miss-budget.ts';
import { createPlans } from '../plan.ts';
import { createRefusals } from '../refusals.ts';
import { createRegistry } from '../registry.ts';
import { createRules } from '../rules.ts';
import { createDigester } from '../secret.ts';
import type { Store } from '../store.ts';
import { createMetrics, type Logger } from '../telemetry.ts';
import { createUsage } from '../usage.ts';
import { version } from '../version.ts';
import { createEvents } from './events.ts';
import { createStore } from './store.ts';

/** Distinct keys an hour whose use is held until it can be written. */
const talliesMax = 200_000;
const upgradeBounds = { flushMs: 1_000, changesMax: 100_000 };
const breakerBounds = { failuresMax: 5, openMs: 1_000 };

/** Wires what decides and what changes, apart from every wire. */
export function createCore(config: Config, log: Logger) {
  const now = () => Date.now();
  const metrics = createMetrics(version);
  const { store, tail } = followed(metrics.timeStore(createStore(config, log)), log);
  const digester = createDigester(config.peppers);
  const checkStore = breakable(store, log);
  const upgrade = createDigestUpgrade(
    { store, onError: (error) => log.warn({ err: error }, 'digests could not be replaced yet') },
    upgradeBounds,
  );
  const findKey = upgrade.watch(checkStore.findKey);
  const missBudget = createMissBudget(monotonic, { readsPerSecond: config.memory.missReadsPerSecond });
  const keyring = metrics.countLookups(
    createKeyring({ store: { ...checkStore, findKey }, feed: store.feed, missBudget }, config.memory),
  );
  const { schemes, adminScheme, environment } = config;
  const plans = createPlans(config.plans);
  const limiter = createLimiter(checkStore, {
    spendersMax: config.memory.spendersMax,
    allowWhenUnavailable: config.limitsWhenUnavailable === 'allow',
  });
  const findRule = createRules(config.rules);
  const judging = { keyring, digester, schemes, environment, plans, findRule, now };
  const authorize = createAuthorize({ ...judging, spend: limiter.spend });
  const dryRun = createAuthorize({ ...judging, spend: limiter.look });
  const hasAdminScheme = schemes.some(({ name }) => name === adminScheme.name);
  const allSchemes: typeof schemes = hasAdminScheme ? schemes : [...schemes, adminScheme];
  const registry = metrics.timeRevocations(
    createRegistry({ store, digester, schemes: allSchemes, now }, { retentionMs: config.retentionMs }),
  );
  const { clients } = config.admin;
  const fixedKey = config.adminKey;
  const identify = createIdentify({ keyring, digester, scheme: adminScheme, fixedKey, clients, now });
  const refusals = createRefusals({
    ...{ store, monotonic },
    onError: (error) => log.error({ err: error }, 'a refused admin call could not be journalled'),
  });
  const hasOtherWriter = fixedKey !== null || clients.some(mayWriteAll);
  const guard = createLastWriterGuard({ store, adminScheme: adminScheme.name, hasOtherWriter });
  const admin = createAdmin({
    ...{ identify, registry, store, digester, refusals, guard, authorize: dryRun },
    ...{ plans, environment, schemes: allSchemes, tail, now, monotonic },
  });
  const events = createEvents({ config, log, store, tail, now, monotonic });
  const usage = createUsage(
    {
      store: events.usageStore,
      onError: (error) => log.warn({ err: error }, 'use could not be recorded yet'),
    },
    { flushMs: config.usageFlushMs, talliesMax },
  );
  const publicKeys = config.githubKeys;
  const githubLeaks = publicKeys.size > 0 ? createGithubLeaks({ publicKeys, registry, refusals }) : undefined;
  const served = { authorize, admin, githubLeaks };
  return { ...served, metrics, store, registry, usage, upgrade, refusals, events, tail, now };
}

/** The store, and the end of its journal, which hears at once of what this process writes. */
function followed(store: Store, log: Logger): { readonly store: Store; readonly tail: JournalTail } {
  const onError = (error: unknown) =>
    log.warn({ err: error }, 'the end of the journal could not be read yet');
  const tail = createJournalTail({ store, onError });
  return { store: waking(store, tail.wake), tail };
}

function mayWriteAll({ permissions, owner }: AdminClient): boolean {
  return owner === null && permissions.includes(adminWrite);
}

/** What a Check asks of the store, told at once while the store is away. */
function breakable(store: Store, log: Logger): CheckStore {
  return withBreakers(
    store,
    {
      monotonic,
      random: Math.random,
      onOpened: (circuit, error) =>
        log.warn({ circuit, err: error }, 'the store does not answer; Checks are told so without asking it'),
      onClosed: (circuit) => log.info({ circuit }, 'the store answers again'),
    },
    breakerBounds,
  );
}

export const monotonic = () => performance.now();
