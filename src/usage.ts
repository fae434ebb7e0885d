import { setImmediate } from 'node:timers/promises';
import type { Reason } from './answer.ts';
import type { Decision } from './authorize.ts';
import type { KeyId } from './key.ts';
import type { Store } from './store.ts';
import { addressesMax, type UsageTally } from './usage-tally.ts';

/** Gathers what keys are used for and writes it in bulk. */
export interface Usage {
  /** Costs no wait. */
  record(decision: Decision, address: string, now: number): void;
  /** Writes what was gathered at intervals; {@link Usage.stop} ends it. */
  start(): void;
  /** Writes what was gathered up to now; what could not be written is kept for the next time. */
  flush(): Promise<void>;
  /** Writes what is left. */
  stop(): Promise<void>;
}

export interface UsageOptions {
  readonly flushMs: number;
  /** Tallies that are held at once; past it new ones are not counted until the next flush. */
  readonly talliesMax: number;
}

const hourMs = 3_600_000;
/**
 * Tallies in one write: few enough for a store's deadline, and for SQLite, which holds up the thread meanwhile.
 * A write whose answer was lost is made again, so this many at most are counted twice.
 */
export const batchSize = 500;

interface Tally {
  readonly key: KeyId;
  readonly hour: number;
  allowed: number;
  denied: Partial<Record<Reason, number>>;
  lastUsedAt: number | null;
  /** Few: a list is smaller than a set, and the last is most often the one. */
  addresses: string[];
  lastAddress: string;
}

export function createUsage(
  dependencies: { readonly store: Pick<Store, 'recordUsage'>; readonly onError: (error: unknown) => void },
  options: UsageOptions,
): Usage {
  const { store, onError } = dependencies;
  /** Of the latest hour in which each key was used: found without making a name: 0.02 µs for 0.1. */
  let latest = new Map<KeyId, Tally>();
  /** Of earlier hours, by key and hour. */
  let earlier = new Map<string, Tally>();
  let timer: NodeJS.Timeout | null = null;
  let flushing: Promise<void> | null = null;

  return {
    record(decision, address, now) {
      if (decision.verdict === 'public' || decision.key === null) return;
      const tally = tallyOf(decision.key.id, Math.floor(now / hourMs) * hourMs);
      if (tally === null) return;
      if (decision.verdict === 'allow') {
        tally.allowed++;
        tally.lastUsedAt = Math.max(tally.lastUsedAt ?? 0, now);
      } else {
        tally.denied[decision.reason] = (tally.denied[decision.reason] ?? 0) + 1;
      }
      if (address !== tally.lastAddress) addAddress(tally, address);
    },
    start() {
      // A store that is slow is not asked again before it has answered.
      timer ??= setInterval(() => flushing ?? flush(), options.flushMs).unref();
    },
    flush,
    async stop() {
      if (timer !== null) clearInterval(timer);
      timer = null;
      await flush();
    },
  };

  function tallyOf(key: KeyId, hour: number): Tally | null {
    const known = latest.get(key);
    if (known !== undefined && known.hour === hour) return known;
    const ofHour = known === undefined ? undefined : earlier.get(nameOf(key, hour));
    if (ofHour !== undefined) return ofHour;
    if (latest.size + earlier.size >= options.talliesMax) return null;
    const made: Tally = {
      ...{ key, hour, allowed: 0, denied: {} },
      ...{ lastUsedAt: null, addresses: [], lastAddress: '' },
    };
    if (known !== undefined && known.hour > hour) earlier.set(nameOf(key, hour), made);
    else {
      if (known !== undefined) earlier.set(nameOf(key, known.hour), known);
      latest.set(key, made);
    }
    return made;
  }

  async function flush(): Promise<void> {
    while (flushing !== null) await flushing;
    flushing = writeAll().finally(() => {
      flushing = null;
    });
    await flushing;
  }

  async function writeAll(): Promise<void> {
    const unwritten = [...earlier.values(), ...latest.values()];
    latest = new Map();
    earlier = new Map();
    try {
      while (unwritten.length > 0) {
        await store.recordUsage(unwritten.slice(0, batchSize).map(written));
        unwritten.splice(0, batchSize);
        // Lets Checks go first.
        await setImmediate();
      }
    } catch (error) {
      onError(error);
      for (const tally of unwritten) restore(tally);
    }
  }

  /** What could not be written is written with the next flush. */
  function restore(lost: Tally): void {
    const tally = tallyOf(lost.key, lost.hour);
    if (tally === null) return;
    tally.allowed += lost.allowed;
    for (const [reason, count] of Object.entries(lost.denied) as [Reason, number][]) {
      tally.denied[reason] = (tally.denied[reason] ?? 0) + count;
    }
    if (lost.lastUsedAt !== null) tally.lastUsedAt = Math.max(tally.lastUsedAt ?? 0, lost.lastUsedAt);
    for (const address of lost.addresses) addAddress(tally, address);
  }
}

function addAddress(tally: Tally, address: string): void {
  tally.lastAddress = address;
  if (address === '' || tally.addresses.length >= addressesMax) return;
  if (!tally.addresses.includes(address)) tally.addresses.push(address);
}

function nameOf(key: KeyId, hour: number): string {
  return `${key}${hour}`;
}

function written({ key, hour, allowed, denied, lastUsedAt, addresses }: Tally): UsageTally {
  return { key, hour, allowed, denied, lastUsedAt, addresses };
}
