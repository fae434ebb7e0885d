import { describe, expect, it } from 'vitest';
import type { Origin } from '../../src/journal/journal.ts';
import { createCheckTelemetry, ended, sumSnapshots } from '../../src/telemetry/check-telemetry.ts';
import { createMetrics } from '../../src/telemetry/telemetry.ts';
import { keyRecord, newOwner } from '../records.ts';
import { createTestService } from '../service.ts';

/** Of the contract: name → type and labels. */
const promised: Readonly<Record<string, { type: string; labels: readonly string[] }>> = {
  postern_checks_total: { type: 'counter', labels: ['decision', 'reason', 'scheme'] },
  postern_check_duration_seconds: { type: 'histogram', labels: [] },
  postern_cache_lookups_total: { type: 'counter', labels: ['result'] },
  postern_cache_entries: { type: 'gauge', labels: ['kind'] },
  postern_store_operation_duration_seconds: { type: 'histogram', labels: ['operation'] },
  postern_feed_lag_seconds: { type: 'gauge', labels: [] },
  postern_revocation_seconds: { type: 'histogram', labels: [] },
  postern_build_info: { type: 'gauge', labels: ['version', 'node'] },
};

describe('metrics', () => {
  it('have every name of the contract, with the labels that it promises and no other', async () => {
    const { families } = await scraped();
    for (const [name, { type, labels }] of Object.entries(promised)) {
      const family = families.get(name);
      expect([name, family?.type]).toEqual([name, type]);
      const used = new Set(family?.samples.flatMap((sample) => Object.keys(sample.labels)));
      used.delete('le');
      expect([name, [...used].toSorted()]).toEqual([name, labels.toSorted()]);
    }
  });

  it('are in the text format, each with a help and a type that fits its name, and no sample twice', async () => {
    const { families, text } = await scraped();
    expect(text.endsWith('\n')).toBe(true);
    for (const [name, { help, type, samples }] of families) {
      expect([name, help]).toEqual([name, expect.stringMatching(/^[A-Z0-9].*\.$/)]);
      expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter']);
      expect(name).toMatch(/^postern_[a-z_]+$/);
      expect(name).not.toMatch(/_(?:milliseconds|ms|bucket|count|sum)(?:_|$)/);
      const lines = samples.map(({ line }) => line.slice(0, line.lastIndexOf(' ')));
      expect(new Set(lines).size).toBe(lines.length);
      const own = type === 'histogram' ? `${name}_(?:bucket|sum|count)` : name;
      for (const sample of samples) expect(sample.name).toMatch(new RegExp(`^${own}$`));
    }
  });

  it('have buckets that grow and end with all that was counted', async () => {
    const { families } = await scraped();
    for (const { type, samples } of families.values()) {
      if (type !== 'histogram') continue;
      const series = Map.groupBy(samples, ({ labels: { le: _, ...rest } }) => JSON.stringify(rest));
      for (const of of series.values()) {
        const buckets = of.filter(({ name }) => name.endsWith('_bucket'));
        const counts = buckets.map(({ value }) => value);
        expect(counts).toEqual(counts.toSorted((one, other) => one - other));
        expect(buckets.at(-1)?.labels.le).toBe('+Inf');
        expect(of.find(({ name }) => name.endsWith('_count'))?.value).toBe(counts.at(-1));
      }
    }
  });

  it('name no key, no owner and no address', async () => {
    const { text, id } = await scraped();
    expect(text).not.toContain(id);
    expect(text).not.toMatch(/key_|acme|192\.0\.2/);
  });

  it('time each change that narrows access, one that fails too, and no other', async () => {
    const { metrics, registry, id } = await withKey();
    const of = { id, visible: () => true, origin };
    const timed = async () => Number(/^postern_revocation_seconds_count (\d+)$/m.exec(await text())?.[1]);
    const text = async () => (await metrics.scrape()).text;
    await registry.enable(of);
    await registry.update(of, () => ({ name: 'Another', permissions: ['a', 'b'] }), null);
    expect(await timed()).toBe(0);
    await registry.update(of, () => ({ permissions: ['a'] }), null);
    const { key: made } = await registry.rotate(of, { graceMs: 60_000, requestKey: null });
    await registry.disable(of);
    await registry.revoke(of);
    await registry.putOwner(newOwner({ suspended: true }), origin);
    expect(made.rotatedFrom).toBe(id);
    expect(await timed()).toBe(5);
    await expect(registry.revoke({ ...of, id: keyRecord().id })).rejects.toThrow();
    expect(await timed()).toBe(6);
  });

  it('say what becomes of the connections of Checks, when certificates end, and how the process does', async () => {
    const metrics = createMetrics('1');
    const checks = createCheckTelemetry();
    const counts = checks.connections;
    metrics.showChecks(async () => checks.snapshot());
    const ends = [{ listener: 'check', validTo: 2_000_000_000_000 }];
    metrics.showCertificates(() => ends);
    metrics.showProcess();
    Object.assign(counts, { open: 3 });
    counts.closed.age = 2;
    counts.refused.streams = 1;
    const { text } = await metrics.scrape();
    for (const line of [
      'postern_check_connections 3',
      'postern_check_connections_closed_total{why="age"} 2',
      'postern_check_connections_closed_total{why="flood"} 0',
      'postern_check_calls_refused_total{why="streams"} 1',
      'postern_tls_certificate_expiry_seconds{listener="check"} 2000000000',
    ]) {
      expect(text.split('\n')).toContain(line);
    }
    expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds \S+$/m);
    expect(text).toMatch(/^process_cpu_seconds_total \S+$/m);
    expect(text).toMatch(/^nodejs_heap_size_used_bytes [1-9]/m);
    ends.length = 0;
    expect((await metrics.scrape()).text).not.toContain('postern_tls_certificate_expiry_seconds{');
  });

  it('count units of limits, leases, and which limit of a plan denied: a name that a key brings is none', async () => {
    const { store, schemes } = await createTestService();
    const metrics = createMetrics('1');
    const checks = createCheckTelemetry();
    metrics.showChecks(async () => checks.snapshot());
    const timed = metrics.timeStore(store);
    const window = { spender: 'key_a', windowStart: 0, windowEnd: 8e15 };
    const lease = (units: number) => timed.leaseUnits({ ...window, limit: 10, units, unitsMin: units && 1 });
    await lease(8);
    await lease(8);
    await lease(8);
    await lease(0);
    await timed.returnUnits([{ ...window, units: 3 }]);
    const charge = (units: number) => [{ ...window, units, countMin: 0 }];
    const once = { id: 'a', body: 'b', at: 0 };
    for (let sent = 0; sent < 2; sent++) await timed.chargeUnits(charge(25), once);
    await timed.chargeUnits(charge(-5), null);
    const rate = { ...exhausted, name: 'monthly' };
    const ofPlan = {
      verdict: 'deny',
      reason: 'rate_limited',
      scheme: schemes[0],
      terms: null,
      rate,
    } as const;
    checks.observeDecision({ ...ofPlan, key: keyRecord() }, 1);
    checks.observeDecision({ ...ofPlan, key: keyRecord() }, 1);
    const own = [{ name: 'key_secret-name', limit: 1, per: 1_000, sharedBy: 'key' }] as const;
    checks.observeDecision(
      { ...ofPlan, key: keyRecord({ rateLimits: own }), rate: { ...rate, name: 'key_secret-name' } },
      1,
    );
    const { text } = await metrics.scrape();
    for (const line of [
      'postern_limit_leases_total{result="granted"} 2',
      'postern_limit_leases_total{result="exhausted"} 1',
      'postern_limit_units_total{what="leased"} 10',
      'postern_limit_units_total{what="returned"} 3',
      'postern_limit_units_total{what="charged"} 25',
      'postern_limit_units_total{what="given_back"} 5',
      'postern_limit_denials_total{limit="monthly"} 2',
      'postern_limit_denials_total{limit=""} 1',
    ]) {
      expect(text.split('\n')).toContain(line);
    }
    expect(text).not.toMatch(/key_a|key_secret/);
  });

  it('say how old memory may be, whatever it is', async () => {
    const { store } = await createTestService();
    let lagMs = 1_500;
    const metrics = createMetrics('1');
    metrics.timeStore({ ...store, feed: { ...store.feed, lagMs: () => lagMs } });
    const lag = async () => /^postern_feed_lag_seconds (.*)$/m.exec((await metrics.scrape()).text)?.[1];
    expect(await lag()).toBe('1.5');
    lagMs = 0;
    expect(await lag()).toBe('0');
    lagMs = Infinity;
    expect(await lag()).toBe('+Inf');
  });

  it('count the requests that the request log has no row for, from none on', async () => {
    const metrics = createMetrics('1');
    const leftOut = async () =>
      /^postern_requests_left_out_total (.*)$/m.exec((await metrics.scrape()).text)?.[1];
    expect(await leftOut()).toBe('0');
    metrics.countRequestsLeftOut(7);
    metrics.countRequestsLeftOut(5);
    expect(await leftOut()).toBe('12');
  });
});

describe('what several workers counted', () => {
  it('is added up, with what one that has ended counted and nothing that it held', () => {
    const [one, other] = [createCheckTelemetry(), createCheckTelemetry()];
    one.observeDecision({ verdict: 'public' }, 0.01);
    other.observeDecision({ verdict: 'public' }, 0.01);
    other.observeDecision({ verdict: 'public' }, 2_000);
    Object.assign(one.connections, { open: 1 });
    Object.assign(other.connections, { open: 2 });
    other.connections.closed.age = 3;
    const known = {
      ...other.snapshot(),
      entries: { key: 7, miss: 0, owner: 0 },
      limited: [
        ['burst', 2],
        ['monthly', 1],
      ] as const,
    };

    expect(sumSnapshots([])).toMatchObject({ checks: [], lookups: { hit: 0 }, connections: { open: 0 } });
    expect(sumSnapshots([one.snapshot(), known])).toMatchObject({
      checks: [{ decision: 'allow', count: 3 }],
      durations: { sum: expect.closeTo(2.00002) },
      entries: { key: 7 },
      connections: { open: 3, closed: { age: 3 } },
    });
    const limited = [{ ...one.snapshot(), limited: [['burst', 3]] as const }, ended(known)];
    expect(sumSnapshots(limited).limited).toEqual([
      ['burst', 5],
      ['monthly', 1],
    ]);
    expect(sumSnapshots([one.snapshot(), ended(known)])).toMatchObject({
      checks: [{ count: 3 }],
      entries: { key: 0 },
      connections: { open: 1, closed: { age: 3 } },
    });
  });
});

const exhausted = {
  ...{ isAllowed: false, limit: 10, remaining: 0, lengthSeconds: 60, resetAt: 60, retryAfter: 60 },
  ...{ limits: [], standings: () => [] },
};

const origin: Origin = { actor: 'key_a', action: 'Test', address: null, requestId: null };

/** Metrics of a whole service that did something of each kind. */
async function scraped() {
  const { metrics, registry, id } = await withKey();
  await registry.revoke({ id, visible: () => true, origin });
  const { text, contentType } = await metrics.scrape();
  expect(contentType).toMatch(/^text\/plain; version=0\.0\.4/);
  return { text, families: read(text), id };
}

async function withKey() {
  const service = await createTestService();
  const metrics = createMetrics('1.2.3');
  const store = metrics.timeStore(service.store);
  const registry = metrics.timeRevocations(service.registry);
  const checks = createCheckTelemetry();
  metrics.showChecks(async () => checks.snapshot());
  const keyring = checks.countLookups(service.keyring);
  const key = keyRecord({ owner: 'acme' });
  await store.insertKey(key, 1);
  keyring.peek(key.digest);
  await keyring.load(key.digest, [key.digest], '192.0.2.1');
  keyring.peek(key.digest);
  const [scheme] = service.schemes;
  for (const reason of ['revoked', 'unknown'] as const) {
    checks.observeDecision({ verdict: 'deny', reason, scheme, key, terms: null, rate: null }, 1);
  }
  return { metrics, registry, id: key.id };
}

interface Sample {
  readonly line: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Family {
  readonly help: string;
  readonly type: string;
  readonly samples: Sample[];
}

/** By https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format; throws on what is not. */
function read(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  let current: Family | undefined;
  const lines = text.split('\n').filter((line) => line !== '');
  for (const [at, line] of lines.entries()) {
    const [, name, help] = /^# HELP ([a-z_]+) (.*)$/.exec(line) ?? [];
    if (name !== undefined && help !== undefined) {
      const [, type] =
        new RegExp(`^# TYPE ${name} (counter|gauge|histogram)$`).exec(lines[at + 1] ?? '') ?? [];
      if (type === undefined || families.has(name)) throw new Error(`no type, or twice: ${line}`);
      current = { help, type, samples: [] };
      families.set(name, current);
    } else if (!line.startsWith('# TYPE ')) {
      current?.samples.push(readSample(line));
    }
  }
  return families;
}

function readSample(line: string): Sample {
  const label = '[a-z_]+="(?:[^"\\\\\\n]|\\\\.)*"';
  const match = new RegExp(`^([a-z_]+)(?:\\{(${label}(?:,${label})*)\\})? (\\S+)$`).exec(line);
  const value = Number(match?.[3]?.replace('+Inf', 'Infinity'));
  if (match?.[1] === undefined || Number.isNaN(value)) throw new Error(`no sample: ${line}`);
  const pairs = [...(match[2] ?? '').matchAll(/([a-z_]+)="([^"]*)"/g)];
  const labels = Object.fromEntries(pairs.map(([, name, text]) => [name, text]));
  return { line, name: match[1], labels, value };
}
