import type { Collection, Db, Document, Filter } from 'mongodb';
import { type Reason, reasons } from '../../schemes/answer.ts';
import { usageRetentionMs } from '../../store/store.ts';
import {
  levelOf,
  nextStart,
  rangesOf,
  type SumRange,
  startOf,
  type UsageGroup,
  type UsagePlace,
  type UsageQuery,
  type UsageSum,
  type UsageUnit,
} from '../../store/usage/usage-sums.ts';
import { usageName, usageSumsName } from '../collections.ts';
import type { Sessions } from '../sessions.ts';
import { ownerId, type SumDocument, startId } from './sums.ts';

/** Adds up what keys were used for. */
export type SumUsage = (query: UsageQuery) => Promise<UsageSum[]>;

/** Ranges of ids in one question; where there were more, one range is read and the rest of it left out. */
const rangesMax = 800;
/** Keys of an owner whose hours are found by their ids. */
const keysMax = 200;

export function createUsageSumming(database: Db, sessions: Sessions, now: () => number): SumUsage {
  const sums: Collection<SumDocument> = database.collection(usageSumsName);
  const hours: Collection<Document & { _id: string }> = database.collection(usageName);

  /** The keys of the owner that have sums of days in these ranges, or some of too many. */
  async function keysOf(owner: string, ranges: readonly SumRange[]): Promise<string[]> {
    const query = { group: 'key', owner } as const;
    const days = ranges.map((range) =>
      sumsIn(query, { ...range, unit: 'day', from: startOf('day', range.from) }),
    );
    const group = [{ $match: { $or: days } }, { $group: { _id: '$key' } }, { $limit: keysMax + 1 }];
    const found = await sessions.read((read) => sums.aggregate(group, read).toArray());
    return found.map(({ _id }) => _id);
  }

  /** Reads what the ranges hold, by both collections, and puts it through the stages. */
  async function aggregate(source: Source, stages: Document[]): Promise<Document[]> {
    const ofHours = source.hours === null ? [] : [{ $match: source.hours }, ...asSums];
    const run = <T extends Document>(collection: Collection<T>, pipeline: Document[]) =>
      sessions.read((read) => collection.aggregate(pipeline, { ...read, allowDiskUse: true }).toArray());
    if (source.sums === null) return run(hours, [...ofHours, ...stages]);
    const union = source.hours === null ? [] : [{ $unionWith: { coll: usageName, pipeline: ofHours } }];
    return run(sums, [{ $match: source.sums }, ...union, ...stages]);
  }

  async function sourceOf(query: UsageQuery, ranges: readonly SumRange[]): Promise<Source> {
    const isOfHours = ({ unit }: SumRange) => levelOf(query) === 'key' && unit === 'hour';
    const inHours = ranges.filter(isOfHours);
    const inSums = ranges.filter((range) => !isOfHours(range)).map((range) => sumsIn(query, range));
    const owned = inHours.length === 0 || query.owner === null ? null : await keysOf(query.owner, inHours);
    return {
      sums: inSums.length === 0 ? null : { $or: inSums },
      hours: inHours.length === 0 ? null : { $or: inHours.flatMap((range) => hoursIn(query, range, owned)) },
    };
  }

  /** The reasons of what was found, by the names of the sums. */
  async function reasonsOf(
    query: UsageQuery,
    source: Source,
    found: readonly UsagePlace[],
  ): Promise<Map<string, Document>> {
    const field = fieldOf[query.group];
    const groups = [...new Set(found.map(({ group }) => group))];
    const told = { $or: [{ denied: { $exists: true } }, { observed: { $exists: true } }] };
    const each = (kind: string) =>
      reasons.map((reason) => [`${kind}_${reason}`, { $sum: `$${kind}.${reason}` }]);
    const byReason = Object.fromEntries(['denied', 'observed'].flatMap(each));
    const rows = await aggregate(source, [
      { $match: field === null ? told : { ...told, [field]: { $in: groups } } },
      { $group: { _id: nameOf(query), ...byReason } },
    ]);
    return new Map(rows.map((row) => [textOf(placeOf(row)), row]));
  }

  return async (query) => {
    const ranges = rangesOf(query, now());
    if (ranges.length === 0) return [];
    const source = await sourceOf(query, ranges);
    const counted = { allowed: { $sum: '$allowed' }, denials: { $sum: '$denials' } };
    const rows = await aggregate(source, [
      { $group: { _id: nameOf(query), ...counted } },
      ...(query.after === null ? [] : [{ $match: comesAfter(query, query.after) }]),
      { $sort: sortOf(query, '_id.group', '_id.start') },
      { $limit: query.size },
    ]);
    const found = rows.map(placeOf);
    if (found.length === 0) return [];
    const told = await reasonsOf(query, source, found);
    return found.map((place) => ({
      ...{ group: place.group, start: place.start, allowed: place.allowed },
      denied: countsOf('denied', told.get(textOf(place))),
      observed: countsOf('observed', told.get(textOf(place))),
    }));
  };
}

interface Source {
  readonly sums: Filter<SumDocument> | null;
  readonly hours: Document | null;
}

/** What each kind of group is called in a sum. */
const fieldOf: Readonly<Record<UsageGroup, string | null>> = {
  ...{ none: null, key: 'key', owner: 'owner', plan: 'plan', scheme: 'scheme', environment: 'environment' },
};

/** Hours of keys in the form of sums. */
const asSums: Document[] = [
  {
    $project: {
      ...{ _id: 1, start: '$hour', allowed: 1, denied: 1, observed: 1 },
      key: { $first: { $split: ['$_id', ' '] } },
      denials: {
        $sum: { $map: { input: { $objectToArray: { $ifNull: ['$denied', {}] } }, in: '$$this.v' } },
      },
    },
  },
];

function sumsIn(
  query: Pick<UsageQuery, 'group' | 'owner'>,
  { unit, from, to }: SumRange,
): Filter<SumDocument> {
  const level = levelOf(query);
  const range = { _id: { $gte: startId(level, unit, from), $lt: startId(level, unit, to) } };
  if (query.owner === null) return range;
  const starts = startsOf(unit, from, to);
  if (starts.length > rangesMax) return { ...range, owner: query.owner };
  const ofOwner = starts.map((start) => `${startId(level, unit, start)} ${ownerId(query.owner)}`);
  return { $or: ofOwner.map((id) => ({ _id: { $gte: `${id} `, $lt: `${id}!` } })) };
}

function hoursIn(
  { owner }: UsageQuery,
  { from, to }: SumRange,
  owned: readonly string[] | null,
): Filter<Document & { _id: string }>[] {
  if (owned !== null && owned.length <= keysMax) {
    const idOf = (key: string, at: number) => `${key} ${new Date(at).toISOString()}`;
    const ofKeys = owned.map((key) => ({ _id: { $gte: idOf(key, from), $lt: idOf(key, to) } }));
    return ofKeys.length === 0 ? [{ _id: '' }] : ofKeys;
  }
  // The index by which they are purged is one by hours.
  const purgeAt = (hour: number) => new Date(hour + usageRetentionMs);
  const range = { purge_at: { $gte: purgeAt(from), $lt: purgeAt(to) } };
  return [owner === null ? range : { ...range, owner }];
}

function startsOf(unit: UsageUnit, from: number, to: number): number[] {
  const starts: number[] = [];
  for (let start = startOf(unit, from); start < to; start = nextStart(unit, start)) starts.push(start);
  return starts;
}

/** What tells a sum from others. */
function nameOf({ group, interval }: UsageQuery): Document {
  const field = fieldOf[group];
  return {
    group: field === null ? null : { $ifNull: [`$${field}`, null] },
    start:
      interval === 'all'
        ? null
        : interval === 'hour'
          ? '$start'
          : { $dateTrunc: { date: '$start', unit: interval } },
  };
}

function sortOf({ order }: UsageQuery, group: string, start: string): Record<string, 1 | -1> {
  if (order === 'start') return { [start]: -1, allowed: -1, [group]: 1 };
  return { [order === 'denied' ? 'denials' : 'allowed']: -1, [start]: -1, [group]: 1 };
}

function comesAfter({ order }: UsageQuery, { group, start, allowed, denials }: UsagePlace): Document {
  const at = start === null ? null : new Date(start);
  const later = at === null ? [] : [{ '_id.start': { $lt: at } }];
  const [rank, amount] = order === 'denied' ? ['denials', denials] : ['allowed', allowed];
  const less = { [rank]: { $lt: amount } };
  const next = { '_id.group': group === null ? { $ne: null } : { $gt: group } };
  const [sameStart, sameRank] = [{ '_id.start': at }, { [rank]: amount }];
  if (order === 'start')
    return { $or: [...later, { ...sameStart, ...less }, { ...sameStart, ...sameRank, ...next }] };
  const then = later.map((condition) => ({ ...sameRank, ...condition }));
  return { $or: [less, ...then, { ...sameRank, ...sameStart, ...next }] };
}

function placeOf({ _id, allowed = 0, denials = 0 }: Document): UsagePlace {
  return { group: _id.group ?? null, start: _id.start?.getTime() ?? null, allowed, denials };
}

function textOf({ group, start }: UsagePlace): string {
  return JSON.stringify([group, start]);
}

function countsOf(kind: 'denied' | 'observed', row: Document | undefined): UsageSum['denied'] {
  const counts = reasons.map((reason): [Reason, number] => [reason, row?.[`${kind}_${reason}`] ?? 0]);
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}
