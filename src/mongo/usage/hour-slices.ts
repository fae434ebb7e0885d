import type { Collection, Db } from 'mongodb';
import { usageRetentionMs } from '../../store/store.ts';
import { hourMs } from '../../store/usage/usage-sums.ts';
import type { UsageTally } from '../../store/usage/usage-tally.ts';
import { usageName } from '../collections.ts';
import type { Sessions } from '../sessions.ts';
import { toTally, type UsageDocument } from './hours.ts';
import type { Closing, CountedPlace, Slice } from './plan.ts';
import { type Places, placesOf } from './plan-hours.ts';

/** Hours of keys in the collection `usage`, some at a time, for whoever adds them to sums. */
export interface HourSlices {
  /** Those of these places; what they say of the key is its owner alone, and that if it is known. */
  in(places: readonly Places[]): Promise<OwnedTally[]>;
  /** The hour of the first place from this one on; null where there is none. */
  firstHour(from: number): Promise<number | null>;
  /** Up to which place in an hour the keys go of which there are about so many hours. */
  endOf(closing: Closing, size: number): Promise<number>;
  /** The next that no sums have, of about so many, and how far they go. */
  uncounted(from: CountedPlace, size: number): Promise<Uncounted>;
}

export interface OwnedTally extends UsageTally {
  readonly owner: string | null | undefined;
}

export interface Uncounted {
  readonly tallies: readonly UsageTally[];
  readonly to: Extract<Slice, { kind: 'count' }>['to'];
}

export function createHourSlices(database: Db, sessions: Sessions): HourSlices {
  const usage: Collection<UsageDocument> = database.collection(usageName);

  return {
    async in(places) {
      if (places.length === 0) return [];
      const filter = { $or: places.map(inPlaces) };
      const documents = await sessions.read((read) =>
        usage.find(filter, { ...read, projection: { addresses: 0 } }).toArray(),
      );
      return documents.map((document) => ({ ...toTally(document), owner: document.owner }));
    },
    async firstHour(from) {
      const filter = { purge_at: { $gte: new Date(from) } };
      const options = { sort: { purge_at: 1 }, projection: { _id: 0, hour: 1 } } as const;
      const first = await sessions.read((read) => usage.findOne(filter, { ...read, ...options }));
      return first?.hour.getTime() ?? null;
    },
    async endOf(closing, size) {
      const hours = placesOf(closing);
      const each = Math.max(Math.floor(size / hours.length), 1);
      let end = hourMs;
      for (const places of hours) {
        const options = { sort: { purge_at: 1 }, skip: each, projection: { _id: 0, purge_at: 1 } } as const;
        const next = await sessions.read((read) => usage.findOne(inPlaces(places), { ...read, ...options }));
        if (next === null) continue;
        // Those of one place stay together: versions before gave all keys of an hour the same.
        const place = next.purge_at.getTime() - (places.from - closing.after);
        end = Math.min(end, Math.max(place, closing.after + 1));
      }
      return end;
    },
    async uncounted({ before, after }, size) {
      const newest = await sessions.read((read) =>
        usage.findOne({ purge_at: { $lt: before } }, { ...read, sort: { purge_at: -1 } }),
      );
      if (newest === null) return { tallies: [], to: null };
      const start = newest.hour.getTime() + usageRetentionMs;
      const isBegun = start + hourMs === before.getTime();
      const filter = {
        ...inPlaces({ from: start, to: start + hourMs }),
        _id: { $gt: isBegun ? after : '' },
        // Who knows of sums has said whose it is.
        owner: { $exists: false },
      };
      const options = { sort: { _id: 1 }, limit: size, allowDiskUse: true } as const;
      const found = await sessions.read((read) => usage.find(filter, { ...read, ...options }).toArray());
      const last = found.at(-1);
      const to =
        last === undefined || found.length < size
          ? { before: new Date(start), after: '' }
          : { before: new Date(start + hourMs), after: last._id };
      return { tallies: found.map(toTally), to };
    },
  };
}

function inPlaces({ from, to }: Places) {
  return { purge_at: { $gte: new Date(from), $lt: new Date(to) } };
}
