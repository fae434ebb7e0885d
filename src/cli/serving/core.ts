import { createAdmin } from '../../admin/admin.ts';
import { findObserved } from '../../admin/diagnostics/observed.ts';
import { createHolder } from '../../admin/holder/holder.ts';
import { createIdentify, type IdentifyDependencies, type Identity } from '../../admin/identity.ts';
import { createLimitHits } from '../../admin/keys/limit-hits.ts';
import { createGithubKeys, type GithubKeys } from '../../admin/leaks/github-keys.ts';
import { createGithubLeaks } from '../../admin/leaks/github-leaks.ts';
import { createTickets } from '../../admin/people/tickets.ts';
import { createKeyring } from '../../cache/keyring.ts';
import { createMissBudget } from '../../cache/miss-budget.ts';
import { createDigestUpgrade } from '../../changes/digest-upgrade.ts';
import { createLastWriterGuard } from '../../changes/last-writer.ts';
import { createRegistry } from '../../changes/registry.ts';
import { createJudges } from '../../check/judges.ts';
import { createJournalTail, type JournalTail, waking } from '../../events/journal-tail.ts';
import { createRefusals } from '../../events/refusals.ts';
import { createDigester } from '../../keys/secret.ts';
import { createCharging } from '../../limits/charging.ts';
import { createStandings, type Standings } from '../../limits/standings.ts';
import { createToldChanges } from '../../link/told-changes.ts';
import type { Listen } from '../../net/listen.ts';
import type { Config } from '../../settings/config.ts';
import type { Feed, FeedSubscriber } from '../../store/feed/feed.ts';
import { type BadRecords, createBadRecords } from '../../store/records/bad-records.ts';
import type { Store } from '../../store/store.ts';
import type { Logger } from '../../telemetry/log.ts';
import { createMetrics, type Metrics } from '../../telemetry/telemetry.ts';
import { traceAdmin } from '../../telemetry/tracing-admin.ts';
import { traceStore } from '../../telemetry/tracing-store.ts';
import type { Tracing } from '../../tracing/tracing.ts';
import { createRequestSink } from '../../usage/requests/request-sink.ts';
import { createUsage, type Usage, writesToFold } from '../../usage/usage.ts';
import { version } from '../../version.ts';
import { createEvents } from './events.ts';
import { createOidcSignIn } from './oidc-sign-in.ts';
import { portalTermsOf } from './portal-terms.ts';
import { type CreateStore, tellOf } from './store.ts';
import { waysInBy } from './ways-in.ts';
import type { CheckWorkers } from './workers/check-workers.ts';

/** Distinct admin keys an hour whose use is held until it can be written. */
const adminTalliesMax = 10_000;
const upgradeBounds = { flushMs: 1_000, changesMax: 100_000 };
/** For those who make admin calls, and for dry runs; Checks have memory of their own. */
const keyringBounds = { keysMax: 10_000, missesMax: 10_000, ownersMax: 10_000, readsMax: 1_000 };

export interface CoreDependencies {
  readonly createStore: CreateStore;
  readonly log: Logger;
  readonly tracing: Tracing | null;
  /** Of the settings, or made up for this process. */
  readonly replicaId: string;
  /** Those who answer Checks, and lease units for them. */
  readonly limiters: Pick<CheckWorkers, 'held' | 'charged'>;
  /** Where the HTTP listener is open; null while it is not. */
  readonly httpAt: () => Listen | null;
}

/** Wires what changes keys and what tells of them, apart from every wire; Checks are decided elsewhere. */
export function createCore(config: Config, dependencies: CoreDependencies) {
  const { createStore, log, tracing, replicaId, limiters, httpAt } = dependencies;
  const now = () => Date.now();
  const metrics = createMetrics(version);
  const [place, requestLog] = [{ isLost: false }, { isOn: config.requestLog.isEnabled }];
  const badRecords = createBadRecords({ monotonic, onMet: tellOf(log), onRead: metrics.countBadRecord });
  const timed = metrics.timeStore(
    storeIn(place, { createStore, config: { ...config, replicaId }, log, badRecords }),
  );
  const { store: single, tail } = followed(tracing === null ? timed : traceStore(timed, tracing), log);
  const { stalenessMaxMs, settleMaxMs } = config;
  const told = createToldChanges({ feed: single.feed, stalenessMaxMs, settleMaxMs, now, monotonic });
  const settle: Store['settle'] = (commit) => told.settle(commit, single.settle);
  const store: Store = { ...single, ...told.following(single), settle };
  const digester = createDigester(config.peppers);
  const upgrade = createDigestUpgrade(
    { store, onError: (error) => log.warn({ err: error }, 'digests could not be replaced yet') },
    upgradeBounds,
  );
  const findKey = upgrade.watch(store.findKey);
  const reads = badRecords.watch({ findKey, getOwner: store.getOwner, getRole: store.getRole });
  const missBudget = createMissBudget(monotonic, { readsPerSecond: config.memory.missReadsPerSecond });
  const feed = withOthers(single.feed, told.subscriber);
  const keyring = createKeyring({ store: reads, feed, missBudget }, keyringBounds);
  const standings = createStandings({ store, held: limiters.held });
  const charge = createCharging({ store, ...limiters, now, onNews: (news) => events.noteLimit(news) });
  const judges = createJudges({ keyring, digester, limiter: lookOnly(standings), now }, config);
  const { dryRun, policy } = judges;
  const registry = metrics.timeRevocations(createRegistry({ store, digester, policy, now }, config));
  const tickets = createTickets<Identity>();
  const identify = identifyBy(config, { keyring, digester, tickets, now });
  const refusals = createRefusals({
    ...{ store, monotonic },
    onError: (error) => log.error({ err: error }, 'a refused admin call could not be journalled'),
  });
  const waysIn = waysInBy(config);
  const hasOtherWriter = waysIn.fixedKey || waysIn.client || waysIn.oidc;
  const oidc = createOidcSignIn(config.console, { refusals, log, monotonic });
  const guard = createLastWriterGuard({ store, ...waysIn, hasOtherWriter });
  const { countUnused, countHolderCall } = metrics;
  const events = createEvents({ config, log, store, registry, tail, now, monotonic, countUnused });
  const usage = gatherAdminUse(config, log, events.usageStore);
  const github = githubKeysOf(config, log, metrics);
  const admin = createAdmin({
    findings: () => [
      ...findObserved(policy()),
      ...[github, oidc].flatMap((source) => source?.findings() ?? []),
    ],
    isRequestLogOn: () => requestLog.isOn,
    noteUse: (key, reason, address) => usage.count(key, reason, address, now()),
    ...{ standings, charge, identify, registry, store, digester, refusals, guard, waysIn, authorize: dryRun },
    ...{ policy, keyring, tail, now, monotonic, replicaId },
    portal: portalTermsOf(config, httpAt),
  });
  const holder = createHolder({
    ...{ registry, store, keyring, standings, charge, policy, guard, refusals, now, count: countHolderCall },
    ...{ authorize: judges.ofHolder, countFailure: events.countFailures },
  });
  const githubLeaks = github === null ? undefined : createGithubLeaks({ keys: github, registry, refusals });
  const served = {
    ...{ githubLeaks, oidc, told, reads, holder, requestLog, requestSink: sinkOf(store, metrics, log) },
    chargeHits: createLimitHits({ store, charge, policy, now }),
    admin: tracing === null ? admin : traceAdmin(admin, tracing),
  };
  return {
    ...served,
    isStoreLost: () => place.isLost,
    ...{ judges, metrics, store, registry, usage, upgrade, refusals, events, tail, now, tickets },
  };
}

/** Whatever is judged here spends nothing. */
function lookOnly({ look }: Pick<Standings, 'look'>) {
  return { spend: look, look };
}

/** What admin keys are used for; that of Checks is gathered where they are answered. */
function gatherAdminUse(config: Config, log: Logger, store: Pick<Store, 'recordUsage'>): Usage {
  return createUsage(
    {
      store,
      onError: (error) => log.warn({ err: error }, 'use by admin calls could not be recorded yet'),
      onDropped: (tallies) => log.warn({ tallies }, 'use by admin calls was not recorded: there was no time'),
    },
    {
      ...{ flushMs: config.usageFlushMs, talliesMax: adminTalliesMax },
      ...(config.store.kind === 'mongodb' && writesToFold),
    },
  );
}

function sinkOf(store: Store, { countRequestsLeftOut }: Metrics, log: Logger) {
  return createRequestSink({
    store,
    onLeftOut(requests) {
      countRequestsLeftOut(requests);
      log.warn({ requests }, 'requests were not logged: there was no room');
    },
  });
}

/** The store that the settings name, which says in `place` whether its file was deleted or replaced. */
function storeIn(
  place: { isLost: boolean },
  {
    createStore,
    config,
    log,
    badRecords,
  }: Pick<CoreDependencies, 'createStore' | 'log'> & {
    readonly config: Config;
    readonly badRecords: BadRecords;
  },
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
    log.warn({ err: error }, 'the end of the audit log could not be read yet');
  const tail = createJournalTail({ store, onError });
  return { store: waking(store, tail.wake), tail };
}

/** Null where GitHub's reports are not taken. */
function githubKeysOf(config: Config, log: Logger, metrics: Metrics): GithubKeys | null {
  const { github } = config;
  if (github.pinned.size === 0 && github.url === null) return null;
  return createGithubKeys(
    {
      ...{ fetch, monotonic, count: metrics.github },
      onFailed: (why) => log.warn({ why }, "GitHub's public keys for secret scanning could not be fetched"),
      onRefused: () => log.warn('a report to POST /leaks/github was refused: no known key has signed it'),
    },
    github,
  );
}

function identifyBy(
  { adminScheme: scheme, adminKey: fixedKey, admin: { clients } }: Config,
  given: Pick<IdentifyDependencies, 'keyring' | 'digester' | 'tickets' | 'now'>,
) {
  return createIdentify({ ...given, scheme, fixedKey, clients });
}

/** The same feed, of which others hear too, after its subscriber. */
function withOthers(feed: Feed, others: FeedSubscriber): Feed {
  return {
    ...feed,
    subscribe(own) {
      feed.subscribe({
        onChange(id, digest) {
          own.onChange(id, digest);
          others.onChange(id, digest);
        },
        onOwnerChange(id) {
          own.onOwnerChange(id);
          others.onOwnerChange(id);
        },
        onRoleChange(id) {
          own.onRoleChange(id);
          others.onRoleChange(id);
        },
        onGap() {
          own.onGap();
          others.onGap();
        },
        applied: async () => void (await Promise.all([own.applied?.(), others.applied?.()])),
      });
    },
  };
}

export const monotonic = () => performance.now();
