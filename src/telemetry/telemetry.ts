/**
 * Room `telemetry/`: Metrics, the log and spans. Here: what is counted, logged and traced of Checks, admin
 * calls and store operations. Not here: what decides anything.
 */

import { type Logger, pino } from 'pino';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Keyring } from '../cache/keyring.ts';
import type { Registry as KeyRegistry } from '../changes/registry.ts';
import type { Decision } from '../check/authorize.ts';
import type { AccessRequest } from '../check/request.ts';
import type { LogLevel } from '../settings/settings-schema.ts';
import type { Store } from '../store/store.ts';
import { countBadRecords } from './bad-record-counts.ts';
import { Buckets, createCheckCounts } from './check-counts.ts';
import type { ConnectionCounts } from './connection-counts.ts';
import { CountedHistogram } from './counted-histogram.ts';
import { createTimestamp, deniedMessage, gatherChecks, type LineStream } from './log-lines.ts';
import { countMisconfigured } from './misconfigured-routes.ts';
import { createReloadCounts } from './reload-counts.ts';
import { eachCall } from './store-calls.ts';
import { addCertificates, addConnections, addProcess, type CertificateEnd } from './telemetry-gauges.ts';

export type { Logger };

/** JSON lines on standard error; standard output is for what a person asked for. */
export function createLogger(level: LogLevel, stream: LineStream): Logger {
  return pino({ level, base: null, timestamp: createTimestamp() }, gatherChecks(stream));
}

/** What is counted. No label names a key, an owner or an address. */
export interface Metrics {
  observeDecision(decision: Decision, durationMs: number): void;
  /** The same keyring, with its lookups counted. */
  countLookups(keyring: Keyring): Keyring;
  /** The same store, with its operations timed, and how far its feed lags. */
  timeStore(store: Store): Store;
  /** The same registry, with the changes timed that take something away. */
  timeRevocations(registry: KeyRegistry): KeyRegistry;
  /** Counts a reading of the settings, or of a listener's TLS, while the service runs. */
  countReload(what: 'settings' | 'tls', isSuccess: boolean): void;
  /** Counts a stored record that could not be read. */
  countBadRecord(): void;
  /** Shows what becomes of the connections that Checks come by. */
  showConnections(counts: ConnectionCounts): void;
  /** Shows when certificates expire. */
  showCertificates(ends: () => readonly CertificateEnd[]): void;
  /** Shows how this process does: Node's own metrics, under the names that prom-client gives them. */
  showProcess(): void;
  /** The Prometheus text format. */
  scrape(): Promise<{ readonly contentType: string; readonly text: string }>;
}

const checkBuckets = [
  0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1,
];
const revocationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const storeBuckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];

export function createMetrics(version: string): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const checks = createCheckCounts();
  new Counter({
    name: 'postern_checks_total',
    help: 'Checks answered, by decision, reason of a denial and scheme.',
    labelNames: ['decision', 'reason', 'scheme'],
    registers,
    collect() {
      this.reset();
      for (const { count, ...labels } of checks.entries()) this.inc(labels, count);
    },
  });
  const countRoute = countMisconfigured(registry);
  const durations = new Buckets(checkBuckets);
  new CountedHistogram(durations, {
    name: 'postern_check_duration_seconds',
    help: 'Time from a Check received to its answer.',
    registers,
  });
  const lookups = { hit: 0, miss: 0, load: 0 };
  new Counter({
    name: 'postern_cache_lookups_total',
    help: 'Lookups in memory: a key (hit), a key known not to exist (miss), or neither (load).',
    labelNames: ['result'],
    registers,
    collect() {
      this.reset();
      for (const [result, count] of Object.entries(lookups)) if (count > 0) this.inc({ result }, count);
    },
  });
  const operations = new Histogram({
    name: 'postern_store_operation_duration_seconds',
    help: 'Time of a store operation, failed ones included.',
    labelNames: ['operation'],
    buckets: storeBuckets,
    registers,
  });
  const revocations = new Histogram({
    name: 'postern_revocation_seconds',
    help: 'Time of a change that takes something away, from its request until it was committed and replicas had confirmed it or been waited for.',
    buckets: revocationBuckets,
    registers,
  });
  new Gauge({
    name: 'postern_build_info',
    help: 'Always 1; the labels say what runs.',
    labelNames: ['version', 'node'],
    registers,
  }).set({ version, node: process.versions.node }, 1);

  return {
    observeDecision(decision, durationMs) {
      durations.observe(durationMs / 1_000);
      checks.count(decision);
      if (decision.verdict === 'deny' && decision.misconfigured !== undefined)
        countRoute(decision.misconfigured);
    },
    countLookups(keyring) {
      new Gauge({
        name: 'postern_cache_entries',
        help: 'What memory holds: keys, digests known to belong to no key, and owners.',
        labelNames: ['kind'],
        registers,
        collect() {
          const { keys, misses, owners } = keyring.size();
          this.set({ kind: 'key' }, keys);
          this.set({ kind: 'miss' }, misses);
          this.set({ kind: 'owner' }, owners);
        },
      });
      return {
        ...keyring,
        peek(digest) {
          const known = keyring.peek(digest);
          if (known === undefined) lookups.load++;
          else if (known === null) lookups.miss++;
          else lookups.hit++;
          return known;
        },
      };
    },
    timeStore(store) {
      new Gauge({
        name: 'postern_feed_lag_seconds',
        help: 'How old what memory knows may be: the age of the newest heartbeat that came back through the change feed. 0 where no other process can change the store.',
        registers,
        collect() {
          this.set(store.feed.lagMs() / 1_000);
        },
      });
      return eachCall(store, (operation, call) =>
        timer((seconds) => operations.observe({ operation }, seconds))(call),
      );
    },
    timeRevocations(registry) {
      const time = timer((seconds) => revocations.observe(seconds));
      return {
        ...registry,
        revoke: time(registry.revoke),
        disable: time(registry.disable),
        revokeLeaked: time(registry.revokeLeaked),
        rotate: time(registry.rotate),
        putOwner: time(registry.putOwner),
        async update(...given) {
          const started = performance.now();
          const updated = await registry.update(...given);
          if (updated.settlement !== null) revocations.observe((performance.now() - started) / 1_000);
          return updated;
        },
        async updateOwner(...given) {
          const started = performance.now();
          const updated = await registry.updateOwner(...given);
          if (updated.settlement !== null) revocations.observe((performance.now() - started) / 1_000);
          return updated;
        },
      };
    },
    countBadRecord: countBadRecords(registers),
    countReload: createReloadCounts(registers),
    showConnections: (counts) => addConnections(registry, counts),
    showCertificates: (ends) => addCertificates(registry, ends),
    showProcess: () => addProcess(registry),
    scrape: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  };
}

/** Which trace a line belongs to. */
export interface TraceIds {
  readonly traceId: string;
  readonly spanId: string;
}

/** One line per denial, with nothing in it that a client chose. */
export function logDenial(
  log: Logger,
  decision: Decision,
  request: AccessRequest | null,
  trace: TraceIds | null = null,
): void {
  if (decision.verdict !== 'deny') return;
  const { reason, scheme, key } = decision;
  const address = request?.address ?? '';
  const fields = { reason, scheme: scheme.name, key_id: key === null ? undefined : key.id, address };
  if (trace === null) log.info(fields, deniedMessage);
  else log.info({ ...fields, trace_id: trace.traceId, span_id: trace.spanId }, deniedMessage);
}

/** Wraps calls so that the time of each is told, however it ends. */
function timer(observe: (seconds: number) => void) {
  return <A extends unknown[], R>(call: (...args: A) => Promise<R>): ((...args: A) => Promise<R>) =>
    async (...args) => {
      const started = performance.now();
      try {
        return await call(...args);
      } finally {
        observe((performance.now() - started) / 1_000);
      }
    };
}
