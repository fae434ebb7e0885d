import { describe, expect, it, onTestFinished } from 'vitest';
import { eventOf, type KeyEvent } from '../../src/events/events.ts';
import { createFailureNotices } from '../../src/events/failure-notices.ts';
import { createUseNotices } from '../../src/events/use-notices.ts';
import { createVolumeNotices } from '../../src/events/volume-notices.ts';
import type { KeyRecord } from '../../src/keys/key.ts';
import { createSqliteStore } from '../../src/sqlite/store.ts';
import type { UsageTally } from '../../src/store/usage/usage-tally.ts';
import { insertAll, listChain } from '../store-contract/setting.ts';
import { tally } from '../store-contract/use/usage.ts';
import {
  type Client,
  launchedClient,
  ordinaryClients,
  type Step,
  seeded,
  seriesStart,
  stepMs,
  stepOf,
} from './recorded-series.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** Those of each of eight kinds. */
const ordinaryKeys = 56;
/** What the four anomalies that are looked for are told as. */
const anomalies = ['key.unusual_volume', 'key.new_address', 'key.permission_denied', 'address.many_failures'];

describe('two weeks of ordinary traffic', () => {
  it.each([1, 2])('make no false alarm, as seed %i has them', async (seed) => {
    const { events, clients } = await play({
      ...{ seed, days: 14 },
      // Who mistypes a key, and who goes on asking with one that has expired.
      guesses: (at) => [
        { address: `192.0.2.${(at / stepMs) % 250}`, count: 4 },
        { address: '192.0.2.251', count: 60 },
      ],
    });
    const told = events.filter(({ type }) => type !== 'key.new_address');
    expect(told).toEqual([]);
    // A second address is told of once, and not each time that it comes back.
    expect(events.length).toBeGreaterThan(10);
    expect(new Set(events.map(({ target }) => target)).size).toBe(events.length);
    expect(events.length).toBeLessThanOrEqual(clients.filter(({ hasSecond }) => hasSecond).length);
  });
});

it('weeks in which keys are misused are told of, each misuse as what it is, once', async () => {
  const begins = seriesStart + 8 * dayMs + 10 * hourMs;
  const isOn = (at: number) => at >= begins && at < begins + 3 * hourMs;
  const thief = '192.0.2.66';
  const { events, keys, clients } = await play({
    ...{ seed: 3, days: 10 },
    more: [launchedClient(begins)],
    beside(client, place, at) {
      if (!isOn(at)) return {};
      // One key of each kind, by its place: a loop that does not end; a copy elsewhere; somebody who tries doors.
      if (client.kind === 'page' && place === 0) return { allowed: 60_000 };
      if (client.kind === 'monitor' && place < 8) return { allowed: 40, addresses: [thief] };
      if (client.kind === 'office' && place < 8) return { outsideScope: 12, addresses: [thief] };
      return {};
    },
    guesses: (at) => (isOn(at) ? [{ address: thief, count: 500 }] : []),
  });
  const told = events
    .filter(({ at }) => at >= begins)
    .map(({ type, at, target }) => {
      const place = keys.findIndex(({ id }) => id === target);
      return [type, clients[place]?.kind ?? null, (at - begins) / stepMs];
    });
  const volumes = told.filter(([type]) => type === 'key.unusual_volume');
  expect(volumes.filter(([, kind]) => kind !== 'launched')).toEqual([['key.unusual_volume', 'page', 0]]);
  // It is no misuse, and as unusual: a key that goes live after days in which it was tried out.
  expect(volumes.filter(([, kind]) => kind === 'launched').length).toBeGreaterThan(0);
  expect(told.filter(([type]) => type === 'key.new_address')).toEqual([
    ['key.new_address', 'office', 0],
    ['key.new_address', 'monitor', 0],
  ]);
  const hourly = [0, 2, 4];
  expect(told.filter(([type]) => type === 'key.permission_denied')).toEqual(
    hourly.map((at) => ['key.permission_denied', 'office', at]),
  );
  expect(told.filter(([type]) => type === 'address.many_failures')).toEqual(
    hourly.map((at) => ['address.many_failures', null, at]),
  );
  expect(events.filter(({ at, type }) => at < begins && type !== 'key.new_address')).toEqual([]);
});

interface Series {
  readonly seed: number;
  readonly days: number;
  /** Clients besides the ordinary. */
  readonly more?: readonly Client[];
  /** What else happens in a step, beside the ordinary. */
  readonly beside?: (client: Client, place: number, at: number) => Partial<Step>;
  /** Failures from one address in a step. */
  readonly guesses?: (at: number) => readonly { readonly address: string; readonly count: number }[];
}

/** Plays a series through a store and all that watches for anomalies, and answers what was told, oldest first. */
async function play({ seed, days, more = [], beside, guesses }: Series) {
  const clock = { now: seriesStart };
  const now = () => clock.now;
  const store = createSqliteStore({ path: ':memory:', now });
  await store.open();
  onTestFinished(() => store.close());
  const random = seeded(seed);
  const clients = [...ordinaryClients(ordinaryKeys, random), ...more];
  const keys = await insertAll(
    store,
    clients.map(() => ({ createdAt: seriesStart })),
  );
  const onError = (error: unknown) => {
    throw error;
  };
  const uses = createUseNotices({ store, now, onError, onDropped: onError });
  const volumes = createVolumeNotices({ store, now });
  const failures = createFailureNotices({ store, now }, { failures: 100, windowMs: 60_000 });
  store.watchUse(volumes.note);
  for (; clock.now < seriesStart + days * dayMs; clock.now += stepMs) {
    const tallies = clients.flatMap((client, place): UsageTally[] => {
      const usual = stepOf(client, clock.now, random);
      return tallyOf(keys[place] as KeyRecord, usual, beside?.(client, place, clock.now) ?? {});
    });
    await store.recordUsage(tallies);
    await uses.note(tallies);
    await volumes.look();
    await uses.tellMany();
    for (const { address, count } of guesses?.(clock.now) ?? []) {
      for (let at = 0; at < count; at++) failures.count('unknown', address, clock.now);
    }
    await failures.flush();
  }
  const events = (await listChain(store)).flatMap((entry): KeyEvent[] => {
    const event = eventOf(entry);
    return event !== null && anomalies.includes(event.type) ? [event] : [];
  });
  return { events, keys, clients };

  function tallyOf(key: KeyRecord, usual: Step, more: Partial<Step>): UsageTally[] {
    const allowed = usual.allowed + (more.allowed ?? 0);
    const outside = more.outsideScope ?? 0;
    if (allowed + outside === 0) return [];
    const hour = clock.now - (clock.now % hourMs);
    const addresses = [...new Set([...usual.addresses, ...(more.addresses ?? [])])];
    const lastUsedAt = allowed === 0 ? null : clock.now;
    const denied = outside === 0 ? {} : { permission_denied: outside };
    return [tally(key, { hour, allowed, denied, addresses, lastUsedAt })];
  }
}
