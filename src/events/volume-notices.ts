import { setImmediate } from 'node:timers/promises';
import { BoundedCache } from '../cache/bounded-cache.ts';
import type { KeyId } from '../keys/key.ts';
import type { Store } from '../store/store.ts';
import { countedKeysMax, requestsOf, type UseListener } from '../store/usage/usage-store.ts';
import { formatTime } from '../time/time.ts';
import { createHourCounts } from './hour-counts.ts';
import { createKeyNotices } from './key-notices.ts';
import { noticeDraft } from './notice.ts';

/** Journals that a key is used far more than it was at the same hour of the days before, once a day. */
export interface VolumeNotices {
  /** Counts what became known of the use of all replicas. Costs no wait. */
  note: UseListener;
  /** Looks at the keys whose hour has come to be large, and tells. What could not be asked or written is kept. */
  look(isLast?: boolean): Promise<void>;
}

export interface VolumeNoticesOptions {
  /** Keys of which it is remembered how far they are from being told; others are looked at again. Default 200 000. */
  readonly keysMax?: number;
  /** Keys that wait to be looked at; more wait for their next use. Default 50 000. */
  readonly waitingMax?: number;
  /** Notices that are told one by one within a minute; of more one tells, at its end. Default 100. */
  readonly singlyMax?: number;
}

export interface VolumeNoticesDependencies {
  readonly store: Pick<Store, 'countUse' | 'getKey' | 'appendJournal'>;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** Fewer requests in an hour are nothing to tell of, whatever there was before. */
export const requestsMin = 100;
/** Told is what is more than so many times the most of before. */
export const timesMost = 10;
/** Days before, and of how many of them the same hour must be known: an hour in which the key was used. */
export const daysBefore = 7;
export const daysKnownMin = 3;

const dayMs = 86_400_000;

/** A key whose hour is to be looked at, and how much of it was counted here then. */
interface Candidate {
  readonly key: KeyId;
  readonly hour: number;
  readonly counted: number;
}

interface Unusual extends Candidate {
  readonly requests: number;
  readonly most: number;
  readonly known: number;
}

/**
 * Only keys whose present hour passes {@link requestsMin} are looked at: once, and then when as many more have come as
 * are lacking. Counts begin anew with the process: what it did not see makes a key be looked at later.
 */
export function createVolumeNotices(
  { store, now }: VolumeNoticesDependencies,
  { keysMax = 200_000, waitingMax = 50_000, singlyMax = 100 }: VolumeNoticesOptions = {},
): VolumeNotices {
  const counts = createHourCounts();
  /** From how many on a key is looked at again within that hour. */
  const nextOf = new BoundedCache<KeyId, { readonly hour: number; readonly from: number }>(keysMax);
  /** The day in which a key was told of last. */
  const toldOn = new BoundedCache<KeyId, number>(keysMax);
  const notices = createKeyNotices({ store, now }, ['UnusualVolume'], singlyMax);
  let waiting = new Map<string, Candidate>();

  return {
    note(tallies) {
      for (const tally of tallies) {
        const { key, hour } = tally;
        const counted = counts.add(key, hour, requestsOf(tally));
        if (counted === null || counted <= requestsMin || toldOn.get(key) === dayOf(hour)) continue;
        const next = nextOf.get(key);
        if (next !== undefined && next.hour === hour && counted <= next.from) continue;
        if (waiting.size < waitingMax) waiting.set(`${key} ${hour}`, { key, hour, counted });
      }
    },
    async look(isLast = false) {
      const candidates = [...waiting.values()].sort((one, other) => one.hour - other.hour);
      waiting = new Map();
      while (candidates.length > 0) {
        const { hour } = candidates[0] as Candidate;
        const ofOther = candidates.findIndex((one) => one.hour !== hour);
        const size = Math.min(countedKeysMax, ofOther < 0 ? candidates.length : ofOther);
        try {
          await lookAt(candidates.slice(0, size), hour);
        } catch (error) {
          for (const one of candidates.slice(0, waitingMax)) waiting.set(`${one.key} ${one.hour}`, one);
          throw error;
        }
        candidates.splice(0, size);
        await setImmediate();
      }
      await notices.tellMany(isLast);
    },
  };

  async function lookAt(candidates: readonly Candidate[], hour: number): Promise<void> {
    const before = Array.from({ length: daysBefore }, (_, at) => hour - (at + 1) * dayMs);
    const found = await store.countUse(
      candidates.map(({ key }) => key),
      [hour, ...before],
    );
    const hoursOf = new Map<KeyId, Map<number, number>>();
    for (const { key, hour: at, requests } of found) {
      const hours = hoursOf.get(key) ?? new Map<number, number>();
      hoursOf.set(key, hours.set(at, requests));
    }
    const unusual: Unusual[] = [];
    for (const candidate of candidates) {
      const { key, counted } = candidate;
      const requests = hoursOf.get(key)?.get(hour) ?? 0;
      const known = before.flatMap((at) => hoursOf.get(key)?.get(at) ?? []);
      if (known.length < daysKnownMin) {
        nextOf.set(key, { hour, from: Number.POSITIVE_INFINITY });
        continue;
      }
      const most = Math.max(...known);
      const lacking = Math.max(requestsMin, timesMost * most) - requests;
      if (lacking < 0) unusual.push({ ...candidate, requests, most, known: known.length });
      else nextOf.set(key, { hour, from: counted + lacking });
    }
    await notices.tell('UnusualVolume', unusual, ({ key, requests, most, known }, record) =>
      noticeDraft('UnusualVolume', {
        key: record,
        after: {
          ...{ name: record.name, hour: formatTime(hour), requests },
          ...{ most_before: most, days_known: known },
        },
        once: `volume ${key} ${dayOf(hour)}`,
      }),
    );
    for (const { key } of unusual) toldOn.set(key, dayOf(hour));
  }
}

/** The day in UTC, as its number since the Unix epoch. */
function dayOf(hour: number): number {
  return Math.floor(hour / dayMs);
}
