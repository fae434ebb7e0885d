import type { KeyId } from '../../../keys/key.ts';
import { usageRetentionMs } from '../../../store/store.ts';
import { hourMs } from '../../../store/usage/usage-sums.ts';
import {
  addressesMax,
  type UsageAbout,
  type UsageTally,
  type Writable,
} from '../../../store/usage/usage-tally.ts';
import { usageOpenName } from '../../collections.ts';
import { hashOf } from '../key-hash.ts';
import { isEmpty } from '../packed-tallies.ts';

/** What was added of one key, in as few bytes as may be: what is not there is nothing. */
export interface OpenRow {
  /** The key. */
  readonly k: string;
  /** Its owner. */
  readonly o: string | null;
  readonly allowed?: number;
  /** Its last use. */
  readonly last?: Date;
  readonly denied?: UsageTally['denied'];
  readonly observed?: UsageTally['observed'];
  readonly from?: readonly string[];
}

/** What one run has of the keys, or owners, of one bucket in one hour. It is never changed. */
export interface OpenDocument<Row = OpenRow> {
  /** See {@link openId}. */
  _id: string;
  run: number;
  /** See {@link bucketOf}. */
  bucket: number;
  hour: Date;
  /** One for each key, or owner. */
  rows: readonly Row[];
  /** Absent from what must not go by itself yet. */
  purge_at?: Date;
}

/** What rows are of, where they lie, and how they are written. */
export interface RowKind<
  Row extends object = object,
  Content extends { readonly rows: readonly Row[] } = { readonly rows: readonly Row[] },
> {
  readonly collection: string;
  /** How long after its hours have begun what is open goes by itself, should nobody remove it. */
  readonly openKeepMs: number;
  contentOf(tallies: readonly UsageTally[]): Content;
  /** By the name under which they are added up. */
  talliesOf(content: Content, hour: number): UsageTally[];
}

/** What one fold has added, or what several have that were merged: it is told by the plan, or else it does not count. */
export interface Run {
  /** The number of the fold, or of the slice that has merged them. */
  readonly run: number;
  /** How often it was merged. */
  readonly level: number;
  /** It has 2 to the power of so many buckets. */
  readonly bits: number;
  /** So many it has at most. */
  readonly rows: number;
}

/** A bucket has about so many rows, or fewer. */
export const bucketRows = 1_000;
export const bitsMax = 20;

export function bitsFor(rows: number, ofBucket: number): number {
  return Math.min(Math.max(Math.ceil(Math.log2(rows / ofBucket)), 0), bitsMax);
}

/** By the hash of the key or owner: each bucket of few is a range of those of more. */
export function bucketOf(name: string, bits: number): number {
  return bits === 0 ? 0 : hashOf(name) >>> (32 - bits);
}

export type PlacedRun = Pick<Run, 'run' | 'bits'>;

export interface Hours {
  readonly from: number;
  readonly before: number;
}

/** Keys whose buckets, if there were 2 to the power of `bits`, are from one on and before another. */
export interface Parts {
  readonly bits: number;
  readonly from: number;
  readonly to: number;
}

/**
 * The buckets of a run of 2 to the power of `bits` that have something of these parts; where they are `done`, those of which
 * nothing is left after them.
 */
export function bucketsOf({ bits: ofParts, from, to }: Parts, bits: number, which: 'some' | 'done' = 'some') {
  const each = 2 ** (bits - ofParts);
  return { $gte: Math.floor(from * each), $lt: (which === 'some' ? Math.ceil : Math.floor)(to * each) };
}

/** A run's documents are one range. */
export function openId(run: number, bucket: number, hour: number): string {
  return `${placeId(run, bucket)} ${new Date(hour).toISOString()}`;
}

/** How the ids of all documents of a run and bucket begin. */
export function placeId(run: number, bucket: number): string {
  return `${runId(run)} ${bucket.toString(16).padStart(5, '0')}`;
}

export const placeIdLength = 22;

/** How the ids of all documents of a run begin. */
export function runId(run: number): string {
  return String(run).padStart(16, '0');
}

/** Member by member: to spread one into another takes twice as long. */
function toRow({ key, about, allowed, denied, observed, lastUsedAt, addresses }: UsageTally): OpenRow {
  const row: Writable<OpenRow> = { k: key, o: about?.owner ?? null };
  if (allowed !== 0) row.allowed = allowed;
  if (lastUsedAt !== null) row.last = new Date(lastUsedAt);
  if (!isEmpty(denied)) row.denied = denied;
  if (!isEmpty(observed)) row.observed = observed;
  if (addresses.length > 0)
    row.from = addresses.length > addressesMax ? addresses.slice(0, addressesMax) : addresses;
  return row;
}

/** Of keys, in the collection `usage_open`; what they say of the key is who has it alone. */
export const keyRows: RowKind<OpenRow> = {
  collection: usageOpenName,
  openKeepMs: hourMs + usageRetentionMs,
  contentOf: (tallies) => ({ rows: tallies.map(toRow) }),
  talliesOf: ({ rows }, hour) => rows.map((row) => tallyOf(row, hour)),
};

function tallyOf(row: OpenRow, hour: number): UsageTally {
  const { k, o, allowed = 0, last, denied = {}, observed = {}, from = [] } = row;
  const lastUsedAt = last?.getTime() ?? null;
  return { key: k as KeyId, hour, allowed, denied, observed, lastUsedAt, addresses: from, about: aboutOf(o) };
}

export function aboutOf(owner: string | null): UsageAbout {
  return { owner, plan: null, scheme: null, environment: null };
}
