import { createKeyring } from '../../../cache/keyring.ts';
import { createMissBudget } from '../../../cache/miss-budget.ts';
import { createNoteInClear } from '../../../check/cleartext.ts';
import { createJudges } from '../../../check/judges.ts';
import { failures as guesses } from '../../../events/failure-notices.ts';
import { createForward } from '../../../forward/judge.ts';
import type { CheckDependencies } from '../../../grpc/check/check-server.ts';
import type { SigningKey } from '../../../identity/signing-key.ts';
import { createIdentityTokens, type IdentityTokens } from '../../../identity/tokens.ts';
import { createDigester } from '../../../keys/secret.ts';
import { type Advances, createAdvances, noAdvances } from '../../../limits/advances.ts';
import { createFencedAdvances } from '../../../limits/fenced-advances.ts';
import { createLimiter, type Limiter } from '../../../limits/limiter.ts';
import type { ServiceAnswers, WorkerAnswers, WorkerStart, WorkerTold } from '../../../link/messages.ts';
import type { Peer } from '../../../link/peer.ts';
import { createWorkerFailures } from '../../../link/worker-failures.ts';
import { createWorkerFeed, type WorkerFeed } from '../../../link/worker-feed.ts';
import { createWorkerLog } from '../../../link/worker-log.ts';
import { createWorkerStore, type WorkerStore } from '../../../link/worker-store.ts';
import type { TlsMaterial } from '../../../net/tls.ts';
import {
  type CheckChanges,
  type CheckConfig,
  changeJudgement,
  checkConfigOf,
} from '../../../settings/check-config.ts';
import { withBreakers } from '../../../store/breaker.ts';
import { type CheckTelemetry, createCheckTelemetry } from '../../../telemetry/check-telemetry.ts';
import { createDecisionLog } from '../../../telemetry/decision-log.ts';
import { createLogger, type Logger } from '../../../telemetry/log.ts';
import { traceCheckStore, traceLookups } from '../../../telemetry/tracing-check.ts';
import { untilAborted } from '../../../time/until-aborted.ts';
import type { Tracing } from '../../../tracing/tracing.ts';
import { createUsage, writesToFold } from '../../../usage/usage.ts';
import { giveBackMemory } from '../heap.ts';
import { openTracing } from '../tracing.ts';
import { type CheckListener, createCheckListener } from './check-listener.ts';
import { pagesOf } from './key-pages.ts';
import { gatherRequests } from './request-gathering.ts';

/** All that decides, in a Check worker. */
export interface CheckCore {
  readonly feed: WorkerFeed;
  readonly telemetry: CheckTelemetry;
  readonly limiter: Limiter;
  readonly listener: CheckListener;
  readonly forward: WorkerAnswers['forward'];
  signBy(key: SigningKey): void;
  apply(changes: CheckChanges): void;
  secure(material: TlsMaterial): void;
  drain(drainMs: number): Promise<void>;
}

/** Distinct keys an hour whose use is held until it can be written. */
const talliesMax = 200_000;
/**
 * Units that will be needed are leased together with those of other keys that come within this time: each write costs a
 * wait for the disk, or a round trip. A key that needs them sooner waits for nobody else.
 */
const leasesGatheredMs = 100;
/** How often what is leased and lies idle is given back. */
const giveBackEveryMs = 1_000;
/** How long the service may take for what is left to write at the end. */
const lastWritesMsMax = 4_000;
const breakerBounds = { failuresMax: 5, openMs: 1_000 };

const now = () => Date.now();
const monotonic = () => performance.now();

/** Wires what decides on Checks; it begins to hear of changes, and listens when it is told to. */
export async function startCheckCore(
  service: Peer<ServiceAnswers, WorkerTold>,
  { settings, tls, workers }: WorkerStart,
): Promise<CheckCore> {
  let standing = settings;
  const config = checkConfigOf(settings);
  const lines = createWorkerLog(service, (leftOut) =>
    log.warn({ lines: leftOut }, 'lines of the log were left out: there were more than could be written'),
  );
  const log = createLogger(config.logLevel, lines);
  const open = await openTracing(config, (times, why) => service.tell(['lost', times, why]));
  const tracing = open?.tracing ?? null;
  const telemetry = createCheckTelemetry();
  const feed = createFeed(config, service);
  const store = createWorkerStore({ ...config, service, workers, monotonic });
  const tokens = config.identityToken === null ? null : createIdentityTokens(config.identityToken, now);
  const known = { config, log, tracing, telemetry, feed, store, tokens };
  const { judges, limiter, keyring } = createDecision(known, workers, service);
  const usage = createUsage(
    {
      store,
      onError: (error) => log.warn({ err: error }, 'use could not be recorded yet'),
      onDropped: (tallies) => log.warn({ tallies }, 'the use of keys was not recorded: there was no time'),
    },
    {
      ...{ flushMs: config.usageFlushMs, talliesMax, heldMax: config.memory.keysMax },
      ...(config.store.kind === 'mongodb' && writesToFold),
    },
  );
  const requests = gatherRequests(service, { config, log, judges });
  const failures = createWorkerFailures((counts) => service.ask('countFailures', counts));
  const logDecision = createDecisionLog({ log, random: Math.random, monotonic }, config.allowsSampleRatio);
  const onBroken = (error: unknown) => log.error({ err: error }, 'broken');
  const onDecision: CheckDependencies['onDecision'] = (decision, request, durationMs, span) => {
    const address = request?.address ?? '';
    telemetry.observeDecision(decision, durationMs);
    const at = now();
    usage.record(decision, address, at);
    requests.record(decision, request, at);
    if (decision.verdict === 'deny' && guesses.has(decision.reason)) failures.count(decision.reason, address);
    logDecision(decision, request, span);
  };
  const renewals: ((material: TlsMaterial) => void)[] = [];
  const listener = createCheckListener(
    {
      authorize: judges.authorize,
      fallbackScheme: () => judges.policy().schemes[0],
      upstream: () => judges.policy().upstream,
      chargeHits: (hits) => service.ask('chargeHits', hits),
      onDecision,
      onBroken,
      tracing,
      unavailableAs: config.check.unavailableAs,
      requestBytesMax: config.check.requestBytesMax,
      addressHeader: config.check.addressHeader,
    },
    {
      config: { ...config.check, connectionsMax: Math.ceil(config.check.connectionsMax / workers) },
      ...{ log, counts: telemetry.connections },
      tls: tls === null ? null : { material: tls, subscribe: (renew) => renewals.push(renew) },
    },
  );
  feed.start();
  keyring.startFilling();
  for (const each of [usage, requests, failures]) each.start();
  // Before it listens, so that no Check waits for it.
  giveBackMemory();
  const givingBack = setInterval(() => void limiter.giveBack(now()), giveBackEveryMs).unref();

  return {
    ...{ feed, listener, telemetry, limiter },
    signBy: (key) => tokens?.signBy(key),
    forward: createForward({ judges, onDecision, onBroken }),
    apply(changes) {
      standing = { ...standing, ...changes };
      if (changeJudgement(changes)) judges.replace(checkConfigOf(standing));
      requests.setOn(standing.requestLog.isEnabled);
      log.level = standing.logLevel;
    },
    secure(material) {
      for (const renew of renewals) renew(material);
    },
    async drain(drainMs) {
      // Most of it is written while calls are still under way.
      void usage.flush();
      void requests.flush();
      keyring.stopFilling();
      await listener.close(drainMs);
      clearInterval(givingBack);
      const late = AbortSignal.timeout(lastWritesMsMax);
      await untilAborted(late, limiter.close(now()));
      await Promise.all([usage.stop(late), requests.stop(late), untilAborted(late, failures.stop())]);
      await open?.close();
      await lines.flush();
      feed.stop();
    },
  };
}

interface Known {
  readonly config: CheckConfig;
  readonly log: Logger;
  readonly tracing: Tracing | null;
  readonly telemetry: CheckTelemetry;
  readonly feed: WorkerFeed;
  readonly store: WorkerStore;
  /** Null where upstreams are told no signed identity. */
  readonly tokens: IdentityTokens | null;
}

/** Memory, limits and judges over what the service tells and answers. */
function createDecision(
  { config, log, tracing, telemetry, feed, store, tokens }: Known,
  workers: number,
  service: Pick<Peer<ServiceAnswers, WorkerTold>, 'ask'>,
) {
  const traced = tracing === null ? store : traceCheckStore(store, config.store.kind, tracing);
  const checkStore = withBreakers(
    traced,
    {
      ...{ monotonic, random: Math.random },
      onOpened: (circuit, error) =>
        log.warn({ circuit, err: error }, 'the store does not answer; Checks are told so without asking it'),
      onClosed: (circuit) => log.info({ circuit }, 'the store answers again'),
    },
    breakerBounds,
  );
  const { missReadsPerSecond } = config.memory;
  const missBudget = createMissBudget(monotonic, { readsPerSecond: Math.ceil(missReadsPerSecond / workers) });
  const counted = telemetry.countLookups(
    createKeyring(
      { store: checkStore, feed, missBudget, pages: pagesOf(config, store, feed) },
      config.memory,
    ),
  );
  const keyring = tracing === null ? counted : traceLookups(counted, tracing);
  const limiter = createLimiter(checkStore, {
    spendersMax: config.memory.spendersMax,
    allowWhenUnavailable: config.limitsWhenUnavailable === 'allow',
    sharers: store.sharers,
    // Several workers lease from the service, which knows of one window at a time.
    leasesAhead: workers === 1,
    advances: advancesOf(config, workers, checkStore, store),
    soon: (work) => void setTimeout(work, leasesGatheredMs).unref(),
    // Without a service there is nobody who would hear of it.
    onNews: (news) => void service.ask('noteLimit', news).catch(() => {}),
  });
  const digester = createDigester(config.peppers);
  const noteInClear = createNoteInClear({
    ...{ keyring, digester, revoke: (id) => service.ask('revokeInClear', id) },
    onError: (error) => log.warn({ err: error }, 'a key that came in clear text could not be revoked yet'),
  });
  const judges = createJudges(
    { keyring, digester, limiter, now, noteInClear, ...(tokens !== null && tokens) },
    config,
  );
  return { limiter, judges, keyring };
}

/** Several lease from the service, which has the advances of all. */
function advancesOf(
  { store: { kind } }: CheckConfig,
  workers: number,
  checkStore: Pick<WorkerStore, 'leaseUnits' | 'returnUnits'>,
  { sharers }: WorkerStore,
): Advances {
  if (workers > 1) return noAdvances;
  // One process has the file of SQLite: a sole worker of it is the only one who leases.
  return kind === 'sqlite' ? createAdvances(checkStore) : createFencedAdvances(checkStore, sharers);
}

function createFeed(config: CheckConfig, service: Peer<ServiceAnswers, WorkerTold>): WorkerFeed {
  const askLagMs = () => service.ask('lagMs');
  return createWorkerFeed({ ...config, tell: service.tell, askLagMs, now, monotonic });
}
