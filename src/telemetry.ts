import { type Logger, pino } from 'pino';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Decision } from './authorize.ts';
import type { Keyring } from './keyring.ts';
import type { Registry as KeyRegistry } from './registry.ts';
import type { AccessRequest } from './request.ts';
import type { LogLevel } from './settings-schema.ts';
import type { Store } from './store.ts';

export type { Logger };

/** JSON lines on standard error; standard output is for what a person asked for. */
export function createLogger(level: LogLevel, stream: { write(line: string): void }): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, stream);
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
  const checks = new Counter({
    name: 'postern_checks_total',
    help: 'Checks answered, by decision, reason of a denial and scheme.',
    labelNames: ['decision', 'reason', 'scheme'],
    registers,
  });
  const duration = new Histogram({
    name: 'postern_check_duration_seconds',
    help: 'Time from a Check received to its answer.',
    buckets: checkBuckets,
    registers,
  });
  const lookups = new Counter({
    name: 'postern_cache_lookups_total',
    help: 'Lookups in memory: a key (hit), a key known not to exist (miss), or neither (load).',
    labelNames: ['result'],
    registers,
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
      duration.observe(durationMs / 1_000);
      checks.inc({
        decision: decision.verdict === 'deny' ? 'deny' : 'allow',
        reason: decision.verdict === 'deny' ? decision.reason : '',
        scheme: decision.verdict === 'public' ? '' : decision.scheme.name,
      });
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
          lookups.inc({ result: known === undefined ? 'load' : known === null ? 'miss' : 'hit' });
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
      return timed(store, (operation, seconds) => operations.observe({ operation }, seconds));
    },
    timeRevocations(registry) {
      const time = timer((seconds) => revocations.observe(seconds));
      return {
        ...registry,
        revoke: time(registry.revoke),
        disable: time(registry.disable),
        putOwner: time(registry.putOwner),
      };
    },
    scrape: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  };
}

/** One line per denial, with nothing in it that a client chose. */
export function logDenial(log: Logger, decision: Decision, request: AccessRequest | null): void {
  if (decision.verdict !== 'deny') return;
  const { reason, scheme, key } = decision;
  const address = request?.address ?? '';
  log.info({ reason, scheme: scheme.name, ...(key !== null && { key_id: key.id }), address }, 'denied');
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

function timed(store: Store, observe: (operation: string, seconds: number) => void): Store {
  const time = <A extends unknown[], R>(operation: string, call: (...args: A) => Promise<R>) =>
    timer((seconds) => observe(operation, seconds))(call);
  return {
    kind: store.kind,
    feed: store.feed,
    open: time('open', () => store.open()),
    close: () => store.close(),
    findKey: time('find_key', (digests) => store.findKey(digests)),
    getKey: time('get_key', (id) => store.getKey(id)),
    getKeyByRequest: time('get_key_by_request', (requestKey) => store.getKeyByRequest(requestKey)),
    listKeys: time('list_keys', (filter, page) => store.listKeys(filter, page)),
    insertKey: time('insert_key', (record, retentionMs) => store.insertKey(record, retentionMs)),
    insertFirstKey: time('insert_first_key', (record, retentionMs) =>
      store.insertFirstKey(record, retentionMs),
    ),
    replaceKey: time('replace_key', (record, ifVersion, retentionMs) =>
      store.replaceKey(record, ifVersion, retentionMs),
    ),
    getOwner: time('get_owner', (id) => store.getOwner(id)),
    listOwners: time('list_owners', (page) => store.listOwners(page)),
    putOwner: time('put_owner', (record, ifVersion) => store.putOwner(record, ifVersion)),
    leaseUnits: time('lease_units', (request) => store.leaseUnits(request)),
    recordUsage: time('record_usage', (tallies) => store.recordUsage(tallies)),
    getUsage: time('get_usage', (key, since) => store.getUsage(key, since)),
    settle: time('settle', (commit) => store.settle(commit)),
  };
}
