import { type Logger, pino } from 'pino';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Decision } from './authorize.ts';
import { Buckets, createCheckCounts } from './check-counts.ts';
import type { Keyring } from './keyring.ts';
import { createTimestamp, deniedMessage, gatherDenials, type LineStream } from './log-lines.ts';
import type { Registry as KeyRegistry } from './registry.ts';
import type { AccessRequest } from './request.ts';
import type { LogLevel } from './settings-schema.ts';
import type { Store } from './store.ts';

export type { Logger };

/** JSON lines on standard error; standard output is for what a person asked for. */
export function createLogger(level: LogLevel, stream: LineStream): Logger {
  return pino({ level, base: null, timestamp: createTimestamp() }, gatherDenials(stream));
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
      return timed(store, (operation, seconds) => operations.observe({ operation }, seconds));
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
      };
    },
    scrape: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  };
}

/** A histogram whose observations are counted elsewhere, and told when it is asked for them. */
class CountedHistogram extends Histogram {
  readonly #buckets: Buckets;
  readonly #name: string;
  readonly #help: string;

  constructor(buckets: Buckets, given: { name: string; help: string; registers: Registry[] }) {
    super({ ...given, buckets: [...buckets.bounds] });
    this.#buckets = buckets;
    this.#name = given.name;
    this.#help = given.help;
  }

  /** What the registry asks of a histogram; the library's types leave it out. */
  async getForPromString() {
    const { bounds, counts, sum } = this.#buckets;
    let count = 0;
    const values = counts.map((inBucket, bucket) => {
      count += inBucket;
      return { labels: { le: bounds[bucket] ?? '+Inf' }, value: count, metricName: `${this.#name}_bucket` };
    });
    return {
      ...{ name: this.#name, help: this.#help, type: 'histogram' },
      values: [
        ...values,
        { labels: {}, value: sum, metricName: `${this.#name}_sum` },
        { labels: {}, value: count, metricName: `${this.#name}_count` },
      ],
    };
  }
}

/** One line per denial, with nothing in it that a client chose. */
export function logDenial(log: Logger, decision: Decision, request: AccessRequest | null): void {
  if (decision.verdict !== 'deny') return;
  const { reason, scheme, key } = decision;
  const address = request?.address ?? '';
  const known = key === null ? undefined : key.id;
  log.info({ reason, scheme: scheme.name, key_id: known, address }, deniedMessage);
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
    insertsAtOnce: store.insertsAtOnce,
    feed: store.feed,
    open: time('open', () => store.open()),
    close: () => store.close(),
    findKey: time('find_key', (digests) => store.findKey(digests)),
    getKey: time('get_key', (id) => store.getKey(id)),
    findDigests: time('find_digests', (digests) => store.findDigests(digests)),
    getKeyByRequest: time('get_key_by_request', (requestKey) => store.getKeyByRequest(requestKey)),
    listKeys: time('list_keys', (filter, page) => store.listKeys(filter, page)),
    insertKey: time('insert_key', (...given) => store.insertKey(...given)),
    insertFirstKey: time('insert_first_key', (...given) => store.insertFirstKey(...given)),
    insertKeys: time('insert_keys', (...given) => store.insertKeys(...given)),
    replaceKey: time('replace_key', (...given) => store.replaceKey(...given)),
    rotateKey: time('rotate_key', (...given) => store.rotateKey(...given)),
    replaceDigests: time('replace_digests', (changes) => store.replaceDigests(changes)),
    countDigests: time('count_digests', () => store.countDigests()),
    getOwner: time('get_owner', (id) => store.getOwner(id)),
    listOwners: time('list_owners', (page) => store.listOwners(page)),
    putOwner: time('put_owner', (...given) => store.putOwner(...given)),
    appendJournal: time('append_journal', (drafts) => store.appendJournal(drafts)),
    listJournal: time('list_journal', (filter, page) => store.listJournal(filter, page)),
    noteAddresses: time('note_addresses', (uses) => store.noteAddresses(uses)),
    listExpiring: time('list_expiring', (range, size) => store.listExpiring(range, size)),
    claimDuty: time('claim_duty', (...given) => store.claimDuty(...given)),
    recordDuty: time('record_duty', (...given) => store.recordDuty(...given)),
    leaseUnits: time('lease_units', (request) => store.leaseUnits(request)),
    recordUsage: time('record_usage', (tallies) => store.recordUsage(tallies)),
    getUsage: time('get_usage', (key, since) => store.getUsage(key, since)),
    settle: time('settle', (commit) => store.settle(commit)),
  };
}
