import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Decision } from '../../src/check/authorize.ts';
import type { KeyRecord } from '../../src/keys/key.ts';
import { readPresets } from '../../src/presets/read.ts';
import type { Reason } from '../../src/schemes/answer.ts';
import type { Scheme } from '../../src/schemes/scheme.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { addressesMax, type UsageTally } from '../../src/store/usage/usage-tally.ts';
import {
  batchSize,
  createUsage,
  type Usage,
  type UsageDependencies,
  type UsageOptions,
  writesToFold,
} from '../../src/usage/usage.ts';
import { keyRecord } from '../records.ts';

const hourMs = 3_600_000;
const noon = Date.UTC(2030, 0, 1, 12);
const scheme = readPresets().get('postern') as Scheme;

describe('usage', () => {
  it('adds up what becomes of the requests of a key within an hour, and writes it once', async () => {
    const { usage, written } = setUp();
    const key = keyRecord();
    for (const at of [1, 3, 2]) usage.record(allowed(key), '192.0.2.1', noon + at);
    for (const reason of ['expired', 'rate_limited', 'expired'] as const) {
      usage.record(denied(key, reason), '192.0.2.2', noon + 9);
    }
    await usage.flush();
    await usage.flush();
    expect(written).toEqual([
      {
        ...{ key: key.id, hour: noon, allowed: 3, denied: { expired: 2, rate_limited: 1 }, observed: {} },
        ...{ lastUsedAt: noon + 3, addresses: ['192.0.2.1', '192.0.2.2'] },
        about: { owner: null, plan: null, scheme: 'postern', environment: 'live' },
      },
    ]);
  });

  it('counts nothing for a request without a key, and no last use for one that was denied', async () => {
    const { usage, written } = setUp();
    usage.record({ verdict: 'public' }, '192.0.2.1', noon);
    usage.record(denied(null, 'unknown'), '192.0.2.1', noon);
    await usage.flush();
    expect(written).toEqual([]);
    usage.record(denied(keyRecord(), 'revoked'), '', noon);
    await usage.flush();
    expect(written).toMatchObject([{ allowed: 0, denied: { revoked: 1 }, lastUsedAt: null, addresses: [] }]);
  });

  it('counts hours, and keys, apart, and writes them in this order', async () => {
    const { usage, written } = setUp();
    const [one, other] = [keyRecord(), keyRecord()];
    usage.record(allowed(other), '', noon);
    for (const at of [noon + hourMs, noon, noon + hourMs - 1]) usage.record(allowed(one), '', at);
    await usage.flush();
    expect(written.map(({ key, hour, allowed: count }) => [key, hour, count])).toEqual([
      [one.id, noon, 2],
      [other.id, noon, 1],
      [one.id, noon + hourMs, 1],
    ]);
  });

  it('writes keys in the order of their ids, each once, however many there are', async () => {
    const { usage, written } = setUp();
    const keys = Array.from({ length: 5_003 }, () => keyRecord());
    for (let at = 0; at < keys.length; at++) {
      const key = keys[(at * 1_999) % keys.length];
      if (key !== undefined) usage.record(allowed(key), '', noon);
    }
    await usage.flush();
    expect(written.map(({ key }) => key)).toEqual(keys.map(({ id }) => id));
  });

  it('keeps a bounded sample of the addresses', async () => {
    const { usage, written } = setUp();
    const key = keyRecord();
    for (let host = 0; host < 5 * addressesMax; host++) usage.record(allowed(key), `2001:db8::${host}`, noon);
    await usage.flush();
    expect(written[0]).toMatchObject({ allowed: 5 * addressesMax });
    expect(written[0]?.addresses).toHaveLength(addressesMax);
  });

  it.each(['v'.repeat(900_000), 'somebody', '192.0.2.256', 'fe80::1%eth0', '192.0.2.1 '])(
    'counts a use, and keeps no address, where what is told as one is none (%.20s)',
    async (address) => {
      const { usage, written } = setUp();
      usage.record(allowed(keyRecord()), address, noon);
      await usage.flush();
      expect(written).toMatchObject([{ allowed: 1, addresses: [] }]);
    },
  );

  it('keeps what could not be written, adds what came since, and writes it with the next', async () => {
    const { usage, written, store, errors } = setUp();
    const key = keyRecord();
    store.away = true;
    usage.record(allowed(key), '192.0.2.1', noon + 2);
    usage.record(denied(key, 'expired'), '192.0.2.1', noon + 2);
    await usage.flush();
    usage.record(allowed(key), '192.0.2.2', noon + 1);
    await usage.flush();
    expect([written, errors.length]).toEqual([[], 2]);
    store.away = false;
    await usage.flush();
    expect(written).toMatchObject([{ allowed: 2, denied: { expired: 1 }, lastUsedAt: noon + 2 }]);
    expect(written[0]?.addresses.toSorted()).toEqual(['192.0.2.1', '192.0.2.2']);
  });

  it('loses nothing of what comes while it writes', async () => {
    const { usage, written, store } = setUp();
    const key = keyRecord();
    const answer = Promise.withResolvers<void>();
    store.before = () => answer.promise;
    usage.record(allowed(key), '', noon);
    const flushed = usage.flush();
    usage.record(allowed(key), '', noon);
    answer.resolve();
    await flushed;
    await usage.flush();
    expect(written.map(({ allowed: count }) => count)).toEqual([1, 1]);
  });

  it('writes many in several writes, and after one that fails keeps only what is left', async () => {
    const { usage, written, writes, store } = setUp();
    const keys = Array.from({ length: 2 * batchSize + 1 }, () => keyRecord());
    for (const key of keys) usage.record(allowed(key), '', noon);
    store.before = async () => {
      if (writes.length === 1) throw new StoreUnavailable('away');
    };
    await usage.flush();
    expect(writes).toEqual([batchSize]);
    store.before = async () => {};
    await usage.flush();
    expect(writes).toEqual([batchSize, batchSize, 1]);
    expect(written.map(({ key }) => key)).toEqual(keys.map(({ id }) => id));
    expect(written.every(({ allowed: count }) => count === 1)).toBe(true);
  });

  it('holds no more tallies than its bound, those that could not be written included', async () => {
    const { usage, written, store } = setUp({ talliesMax: 3 });
    const keys = Array.from({ length: 5 }, () => keyRecord());
    for (const key of keys) usage.record(allowed(key), '', noon);
    for (const key of keys) usage.record(allowed(key), '', noon);
    store.away = true;
    await usage.flush();
    for (const key of keys.slice(3)) usage.record(allowed(key), '', noon);
    store.away = false;
    await usage.stop(AbortSignal.timeout(30_000));
    expect(written.map(({ key }) => key)).toEqual(keys.slice(0, 3).map(({ id }) => id));
    expect(written.every(({ allowed: count }) => count === 2)).toBe(true);
  });

  it('writes by itself once it is started, one write at a time, until it is stopped', async () => {
    const { usage, written, store } = setUp();
    let underWay = 0;
    let mostUnderWay = 0;
    store.before = async () => {
      mostUnderWay = Math.max(mostUnderWay, ++underWay);
      await turn();
      underWay--;
    };
    usage.start();
    usage.start();
    for (let round = 1; round <= 3; round++) {
      usage.record(allowed(keyRecord()), '', noon);
      await expect.poll(() => written.length, { interval: 1 }).toBe(round);
    }
    await usage.stop(AbortSignal.timeout(30_000));
    expect(mostUnderWay).toBe(1);
  });

  it('spreads its batches over half an interval, or less where use would be told later than in 10 s', async () => {
    expect(await pausesOf(4_000)).toEqual([500, 500, 500]);
    expect(await pausesOf(8_000)).toEqual([250, 250, 250]);
    expect(await pausesOf(10_000)).toEqual([]);
  });

  it('is written in few large writes where a store folds it, within what is left of ten seconds', async () => {
    vi.useFakeTimers({ toFake: ['setInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const { usage, writes } = setUp({ flushMs: 10_000, ...writesToFold });
    recordBatches(usage, 4);
    usage.start();
    vi.advanceTimersByTime(10_000 - writesToFold.storeLagMs);
    await expect.poll(() => writes).toEqual([4 * batchSize]);
    await usage.stop(AbortSignal.timeout(30_000));
  });

  it('makes no pause any more when it is stopped, one that it makes is ended', async () => {
    vi.useFakeTimers({ toFake: ['setInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const paused = Promise.withResolvers<void>();
    const wait = (_: number, signal: AbortSignal) => {
      paused.resolve();
      return new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    };
    const { usage, written } = setUp({ flushMs: 4_000 }, wait);
    recordBatches(usage, 3);
    usage.start();
    vi.advanceTimersByTime(4_000);
    await paused.promise;
    expect(written).toHaveLength(batchSize);
    await usage.stop(AbortSignal.timeout(30_000));
    expect(written).toHaveLength(3 * batchSize);
  });

  it('writes what is left when it is stopped, what came while a write was under way too', async () => {
    const { usage, written, store } = setUp();
    const answer = Promise.withResolvers<void>();
    store.before = () => answer.promise;
    usage.record(allowed(keyRecord()), '', noon);
    void usage.flush();
    usage.record(allowed(keyRecord()), '', noon);
    const stopped = usage.stop(AbortSignal.timeout(30_000));
    answer.resolve();
    await stopped;
    expect(written).toHaveLength(2);
  });

  it('ends when its time is up, though the store does not answer, and says what it could not write', async () => {
    const { usage, written, dropped, store } = setUp();
    const answer = Promise.withResolvers<void>();
    store.before = async () => {
      if (written.length > 0) await answer.promise;
    };
    recordBatches(usage, 3);
    const time = new AbortController();
    const stopped = usage.stop(time.signal);
    await expect.poll(() => written).toHaveLength(batchSize);
    time.abort();
    await stopped;
    expect(dropped).toEqual([2 * batchSize]);
    answer.resolve();
  });

  it('says at its end what the store did not take', async () => {
    const { usage, dropped, store } = setUp();
    store.away = true;
    recordBatches(usage, 1);
    await usage.stop(AbortSignal.timeout(30_000));
    expect(dropped).toEqual([batchSize]);
  });
});

/** Those of one write of four batches, the first of which is written at once. */
async function pausesOf(flushMs: number): Promise<number[]> {
  vi.useFakeTimers({ toFake: ['setInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const pauses: number[] = [];
  const { usage, written } = setUp({ flushMs }, async (ms) => void pauses.push(ms));
  recordBatches(usage, 4);
  usage.start();
  vi.advanceTimersByTime(flushMs);
  await expect.poll(() => written).toHaveLength(4 * batchSize);
  await usage.stop(AbortSignal.timeout(30_000));
  return pauses;
}

function recordBatches(usage: Usage, batches: number): void {
  for (let at = 0; at < batches * batchSize; at++) usage.record(allowed(keyRecord()), '', noon);
}

function setUp(options: Partial<UsageOptions> = {}, wait?: UsageDependencies['wait']) {
  const written: UsageTally[] = [];
  /** How many tallies each write had. */
  const writes: number[] = [];
  const errors: unknown[] = [];
  const dropped: number[] = [];
  const store = {
    away: false,
    before: async () => {},
    async recordUsage(tallies: readonly UsageTally[]) {
      await store.before();
      if (store.away) throw new StoreUnavailable('away');
      writes.push(tallies.length);
      written.push(...tallies);
    },
  };
  const usage = createUsage(
    {
      store,
      onError: (error) => errors.push(error),
      onDropped: (tallies) => dropped.push(tallies),
      ...(wait !== undefined && { wait }),
    },
    { flushMs: 1, talliesMax: 10_000, ...options },
  );
  return { usage, written, writes, errors, dropped, store };
}

function allowed(key: KeyRecord): Decision {
  const withheld = { headers: ['authorization'], changed: [], parameters: [] };
  return { verdict: 'allow', owner: null, key, scheme, permissions: [], withheld, plan: null, rate: null };
}

function denied(key: KeyRecord | null, reason: Reason): Decision {
  return { verdict: 'deny', reason, scheme, key, plan: null, terms: null, rate: null };
}

/** Lets everything that is ready run. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
