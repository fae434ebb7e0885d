import type { Collection, Db, Document, Filter } from 'mongodb';
import { type Reason, reasons } from '../../../schemes/answer.ts';
import {
  levelOf,
  rangesOf,
  type SumRange,
  startOf,
  type UsageGroup,
  type UsagePlace,
  type UsageQuery,
  type UsageSum,
} from '../../../store/usage/usage-sums.ts';
import { usageName, usageOpenName, usageOwnersName, usageSumsName } from '../../collections.ts';
import type { Sessions } from '../../sessions.ts';
import { ownerPipeline } from '../owners/owner-ranges.ts';
import { byOnePlan, type PlanDocument, type UsagePlans } from '../plan.ts';
import { settledOf } from '../plan-hours.ts';
import type { SumDocument } from './sum-documents.ts';
import { asSums, ofSlice, openPipeline, withoutSlice } from './sum-forms.ts';
import { apart, hoursIn, keysMax, openIn, settledRows, sumsIn, waitingIn } from './sum-ranges.ts';

/** Adds up what keys were used for. */
export type SumUsage = (query: UsageQuery) => Promise<UsageSum[]>;

export function createUsageSumming(
  database: Db,
  sessions: Sessions,
  { plans, now }: { readonly plans: Pick<UsagePlans, 'read'>; readonly now: () => number },
): SumUsage {
  const sums: Collection<SumDocument> = database.collection(usageSumsName);

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

  /** Reads what the ranges hold, by all collections, and puts it through the stages. */
  async function aggregate(source: Source, stages: Document[]): Promise<Document[]> {
    const parts: readonly (readonly [coll: string, pipeline: Document[] | null])[] = [
      [usageSumsName, source.sums && [{ $match: source.sums }, ...withoutSlice(source.slice)]],
      [usageName, source.hours && [{ $match: source.hours }, ...asSums]],
      [usageOpenName, source.open],
      [usageOwnersName, source.owners],
    ];
    const [first, ...others] = parts.flatMap(([coll, pipeline]) =>
      pipeline === null ? [] : [{ coll, pipeline }],
    );
    if (first === undefined) return [];
    const unions = others.map((other) => ({ $unionWith: other }));
    const pipeline = [...first.pipeline, ...unions, ...stages];
    return sessions.read((read) =>
      database
        .collection(first.coll)
        .aggregate(pipeline, { ...read, allowDiskUse: true })
        .toArray(),
    );
  }

  async function sourceOf(
    query: UsageQuery,
    ranges: readonly SumRange[],
    plan: PlanDocument | null,
  ): Promise<Source> {
    const level = levelOf(query);
    const isOfKeys = level === 'key';
    const isOfHours = ({ unit }: SumRange) => isOfKeys && unit === 'hour';
    const inHours = ranges.filter(isOfHours);
    const inSums = ranges.filter((range) => !isOfHours(range));
    const notClosed = isOfKeys ? inSums.flatMap((range) => openIn(query, range, plan)) : [];
    const waiting = isOfKeys ? waitingIn(ranges, plan) : null;
    // Of the others the sums of days tell which keys there are.
    const [before, after] = apart(inHours, plan);
    const owned = before.length === 0 || query.owner === null ? null : await keysOf(query.owner, before);
    const closed = before.flatMap((range) => hoursIn(query, range, owned));
    const found = [...closed, ...after.flatMap((range) => hoursIn(query, range, null)), ...notClosed];
    return {
      sums: inSums.length === 0 ? null : { $or: inSums.map((range) => sumsIn(query, range)) },
      hours: found.length === 0 ? null : { $and: [{ $or: found }, settledRows(settledOf(plan))] },
      open: waiting && openPipeline(waiting, query.owner),
      owners: level === 'owner' ? ownerPipeline(query, ranges, plan?.owners) : null,
      slice: isOfKeys ? closingSlice(plan) : null,
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
    const countIn = (field: string) =>
      source.slice === null ? `$${field}` : { $subtract: [`$${field}`, ofSlice(source.slice, field)] };
    const each = (kind: string) =>
      reasons.map((reason) => [`${kind}_${reason}`, { $sum: countIn(`${kind}.${reason}`) }]);
    const byReason = Object.fromEntries(['denied', 'observed'].flatMap(each));
    const rows = await aggregate(source, [
      { $match: field === null ? told : { ...told, [field]: { $in: groups } } },
      { $group: { _id: nameOf(query), ...byReason } },
    ]);
    return new Map(rows.map((row) => [textOf(placeOf(row)), row]));
  }

  async function sum(
    query: UsageQuery,
    ranges: readonly SumRange[],
    plan: PlanDocument | null,
  ): Promise<UsageSum[]> {
    const source = await sourceOf(query, ranges, plan);
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
  }

  return async (query) => {
    const ranges = rangesOf(query, now());
    if (ranges.length === 0) return [];
    const level = levelOf(query);
    if (level === 'all') return sum(query, ranges, null);
    const read = (plan: PlanDocument | null) => sum(query, ranges, plan);
    if (level === 'owner') return byOnePlan(plans, read, ownersStateOf, (plan) => plan?.owners);
    // What was not closed at first may have come into sums that were read later.
    return byOnePlan(plans, read, stateOf);
  };
}

interface Source {
  readonly sums: Filter<SumDocument> | null;
  readonly hours: Document | null;
  /** Of what is open, in the form of sums. */
  readonly open: Document[] | null;
  readonly owners: Document[] | null;
  /** Which slice of hours is being added to these sums, and is read as hours still. */
  readonly slice: number | null;
}

/** Tells one state of what is settled, closed, or being closed, from others. */
function stateOf(plan: PlanDocument | null): string {
  return `${plan?.settled?.getTime()} ${plan?.closed_by} ${closingSlice(plan) ?? ''}`;
}

function ownersStateOf(plan: PlanDocument | null): string {
  return `${plan?.owners?.settled.getTime()} ${plan?.owners?.closed.getTime()}`;
}

/** Which slice is adding hours to days and months now. */
function closingSlice(plan: PlanDocument | null): number | null {
  const kind = plan?.slice?.kind;
  return plan !== null && (kind === 'close' || kind === 'close keys') ? plan.fold : null;
}

/** What each kind of group is called in a sum. */
const fieldOf: Readonly<Record<UsageGroup, string | null>> = {
  ...{ none: null, key: 'key', owner: 'owner', plan: 'plan', scheme: 'scheme', environment: 'environment' },
};

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
