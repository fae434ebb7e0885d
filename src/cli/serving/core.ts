import { createAdmin } from '../../admin/admin.ts';
import { createGithubLeaks } from '../../admin/github-leaks.ts';
import { createIdentify } from '../../admin/identity.ts';
import { createKeyring } from '../../cache/keyring.ts';
import { createMissBudget } from '../../cache/miss-budget.ts';
import { createDigestUpgrade } from '../../changes/digest-upgrade.ts';
import { createLastWriterGuard } from '../../changes/last-writer.ts';
import { createRegistry } from '../../changes/registry.ts';
import { createJudges } from '../../check/judges.ts';
import { createJournalTail, type JournalTail, waking } from '../../events/journal-tail.ts';
import { createRefusals } from '../../events/refusals.ts';
import { type AdminClient, adminWrite } from '../../keys/admin-permissions.ts';
import { createDigester } from '../../keys/secret.ts';
import { createLimiter } from '../../limits/limiter.ts';
import type { Config } from '../../settings/config.ts';
import { type BadRecords, createBadRecords } from '../../store/bad-records.ts';
import { type CheckStore, withBreakers } from '../../store/breaker.ts';
import type { Store } from '../../store/store.ts';
import { createMetrics, type Logger } from '../../telemetry/telemetry.ts';
import { traceAdmin } from '../../telemetry/tracing-admin.ts';
import { traceLookups } from '../../telemetry/tracing-check.ts';
import { traceStore } from '../../telemetry/tracing-store.ts';
import type { Tracing } from '../../tracing/tracing.ts';
import { createUsage, type Usage } from '../../usage/usage.ts';
import { version } from '../../version.ts';
import { createEvents } from './events.ts';
import { createStore, tellOf } from './store.ts';

/** Distinct keys an hour whose use is held until it can be written. */
const talliesMax = 200_000;
const upgradeBounds = { flushMs: 1_000, changesMax: 100_000 };
const breakerBounds = { failuresMax: 5, openMs: 1_000 };

/** Wires what decides and what changes, apart from every wire. */
export function createCore(config: Config, log: Logger, tracing: Tracing | null) {
  const now = () => Date.now();
  const metrics = createMetrics(version);
  const place = { isLost: false };
  const badRecords = createBadRecords({ monotonic, onMet: tellOf(log), onRead: metrics.countBadRecord });
  const timed = metrics.timeStore(storeIn(place, { config, log, badRecords }));
  const { store, tail } = followed(tracing === null ? timed : traceStore(timed, tracing), log);
  const digester = createDigester(config.peppers);
  const checkStore = badRecords.watch(breakable(store, log));
  const upgrade = createDigestUpgrade(
    { store, onError: (error) => log.warn({ err: error }, 'digests could not be replaced yet') },
    upgradeBounds,
  );
  const findKey = upgrade.watch(checkStore.findKey);
  const missBudget = createMissBudget(monotonic, { readsPerSecond: config.memory.missReadsPerSecond });
  const counted = metrics.countLookups(
    createKeyring({ store: { ...checkStore, findKey }, feed: store.feed, missBudget }, config.memory),
  );
  const keyring = tracing === null ? counted : traceLookups(counted, tracing);
  const limiter = createLimiter(checkStore, {
    spendersMax: config.memory.spendersMax,
    allowWhenUnavailable: config.limitsWhenUnavailable === 'allow',
  });
  const judges = createJudges({ keyring, digester, limiter, now }, config);
  const { authorize, dryRun, policy } = judges;
  const registry = metrics.timeRevocations(
    createRegistry({ store, digester, policy, now }, { retentionMs: config.retentionMs }),
  );
  const { adminScheme } = config;
  const { clients } = config.admin;
  const fixedKey = config.adminKey;
  const identify = createIdentify({ keyring, digester, scheme: adminScheme, fixedKey, clients, now });
  const refusals = createRefusals({
    ...{ store, monotonic },
    onError: (error) => log.error({ err: error }, 'a refused admin call could not be journalled'),
  });
  const waysIn = {
    adminScheme: adminScheme.name,
    fixedKey: fixedKey !== null,
    client: clients.some(mayWriteAll),
  };
  const hasOtherWriter = waysIn.fixedKey || waysIn.client;
  const guard = createLastWriterGuard({ store, adminScheme: adminScheme.name, hasOtherWriter });
  const admin = createAdmin({
    ...{ identify, registry, store, digester, refusals, guard, waysIn, authorize: dryRun },
    ...{ policy, tail, now, monotonic },
  });
  const events = createEvents({ config, log, store, tail, now, monotonic });
  const usage = gatherUse(config, log, events.usageStore);
  const publicKeys = config.githubKeys;
  const githubLeaks = publicKeys.size > 0 ? createGithubLeaks({ publicKeys, registry, refusals }) : undefined;
  const served = {
    ...{ authorize, githubLeaks },
    admin: tracing === null ? admin : traceAdmin(admin, tracing),
  };
  return {
    ...served,
    isStoreLost: () => place.isLost,
    judges,
    metrics,
    store,
    registry,
    usage,
    upgrade,
    refusals,
    events,
    tail,
    now,
  };
}

/** What keys are used for, gathered and written in bulk. */
function gatherUse({ usageFlushMs }: Config, log: Logger, store: Pick<Store, 'recordUsage'>): Usage {
  return createUsage(
    {
      store,
      onError: (error) => log.warn({ err: error }, 'use could not be recorded yet'),
      onDropped: (tallies) => log.warn({ tallies }, 'the use of keys was not recorded: there was no time'),
    },
    { flushMs: usageFlushMs, talliesMax },
  );
}

/** The store that the settings name, which says in `place` whether its file was deleted or replaced. */
function storeIn(
  place: { isLost: boolean },
  { config, log, badRecords }: { config: Config; log: Logger; badRecords: BadRecords },
): Store {
  const store = createStore(config, log, {
    onBadRecord: badRecords.note,
    onLost(isLost) {
      place.isLost = isLost;
    },
  });
  return { ...store, diagnose: async () => [...(await store.diagnose()), ...badRecords.findings()] };
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
