/**
 * Room `telemetry/`: Metrics, the log and spans. Here: what is counted, logged and traced of Checks, admin
 * calls and store operations. Not here: what decides anything.
 */

import { Gauge, Histogram, Registry } from 'prom-client';
import type { Registry as KeyRegistry } from '../changes/registry.ts';
import type { Store } from '../store/store.ts';
import { countBadRecords } from './bad-record-counts.ts';
import { addChecks } from './check-metrics.ts';
import type { CheckSnapshot } from './check-telemetry.ts';
import { createGithubCounts, type GithubCounts } from './github-counts.ts';
import { createHolderCounts } from './holder-counts.ts';
import { countLeftOut } from './left-out-counts.ts';
import { createLimitCounts } from './limit-counts.ts';
import { createReloadCounts } from './reload-counts.ts';
import { eachCall } from './store-calls.ts';
import { addCertificates, addProcess, type CertificateEnd } from './telemetry-gauges.ts';
import { createUnusedCounts } from './unused-counts.ts';

/** What is counted. No label names a key, an owner or an address. */
export interface Metrics {
  /** Shows what is counted where Checks are answered, which is asked for with each scrape. */
  showChecks(ask: () => Promise<CheckSnapshot>): void;
  /** The same store, with its operations timed, its units of limits counted, and how far its feed lags. */
  timeStore(store: Store): Store;
  /** The same registry, with the changes timed that narrow access. */
  timeRevocations(registry: KeyRegistry): KeyRegistry;
  /** Counts a reading of the settings, or of a listener's TLS, while the service runs. */
  countReload(what: 'settings' | 'tls', isSuccess: boolean): void;
  /** Counts a stored record that could not be read. */
  countBadRecord(): void;
  /** Counts keys that nobody used, as they are told of and disabled. */
  countUnused(what: 'notified' | 'disabled', keys: number): void;
  /** Counts requests that are not in the request log, for want of room. */
  countRequestsLeftOut(requests: number): void;
  /** Counts calls that keys make for themselves. */
  readonly countHolderCall: ReturnType<typeof createHolderCounts>;
  /** Counts GitHub's reports, and the fetches of its keys. */
  readonly github: GithubCounts;
  /** Shows when certificates expire. */
  showCertificates(ends: () => readonly CertificateEnd[]): void;
  /** Shows how this process does: Node's own metrics, under the names that prom-client gives them. */
  showProcess(): void;
  /** The Prometheus text format. */
  scrape(): Promise<{ readonly contentType: string; readonly text: string }>;
}

const revocationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const storeBuckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];

export function createMetrics(version: string): Metrics {
  const registry = new Registry();
  const registers = [registry];
  let renewChecks = async () => {};
  const countUnits = createLimitCounts(registers);
  const operations = new Histogram({
    name: 'postern_store_operation_duration_seconds',
    help: 'Time of a store operation, failed ones included.',
    labelNames: ['operation'],
    buckets: storeBuckets,
    registers,
  });
  const revocations = new Histogram({
    name: 'postern_revocation_seconds',
    help: 'Time of a change that narrows access, from its request until it was committed and replicas had confirmed it or been waited for.',
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
    showChecks(ask) {
      const show = addChecks(registry);
      renewChecks = async () => show(await ask());
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
      const timed = eachCall(store, (operation, call) =>
        timer((seconds) => operations.observe({ operation }, seconds))(call),
      );
      return countUnits(timed);
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
    countUnused: createUnusedCounts(registers),
    countRequestsLeftOut: countLeftOut(registers),
    countHolderCall: createHolderCounts(registers),
    github: createGithubCounts(registers),
    showCertificates: (ends) => addCertificates(registry, ends),
    showProcess: () => addProcess(registry),
    async scrape() {
      await renewChecks();
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
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
