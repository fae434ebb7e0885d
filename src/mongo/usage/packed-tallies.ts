import { promisify } from 'node:util';
import { deflateRaw, inflateRaw } from 'node:zlib';
import type { KeyId } from '../../keys/key.ts';
import type { Reason } from '../../schemes/answer.ts';
import { aboutPlaces, type UsageAbout, type UsageTally } from '../../store/usage/usage-tally.ts';

type Counts = Partial<Record<Reason, number>>;
type Row = [
  key: string,
  hour: number,
  allowed: number,
  lastUsedAt: number | null,
  addresses: readonly string[],
  denied?: Counts,
  observed?: Counts,
  /** Which of those that the first row of all lists. */
  about?: number,
];
/** Before all others where they have something about the keys: releases of before it was told skip what is no row. */
interface Abouts {
  readonly abouts: readonly (UsageAbout | null)[];
}

const deflate = promisify(deflateRaw);
const inflate = promisify(inflateRaw);
/** Ids are random for the most part: more work makes it hardly smaller. */
const level = 1;
/** Unpacked; a hundred times what a batch takes. */
const bytesMax = 64 * 1024 * 1024;
const none: Counts = Object.freeze({});

/**
 * Tallies in few bytes, about 35 each: each change stream of the fleet has to pass over them. Packing is done in another
 * thread.
 */
export async function packTallies(tallies: readonly UsageTally[]): Promise<PackedTallies> {
  const abouts: (UsageAbout | null)[] = [];
  const placeOf = aboutPlaces((about) => abouts.push(about) - 1);
  const rows = tallies.map((tally) => toRow(tally, placeOf(tally.about)));
  const packed = await deflate(JSON.stringify([{ abouts } satisfies Abouts, ...rows]), { level });
  return { packed, abouts: abouts.length };
}

export interface PackedTallies {
  readonly packed: Buffer;
  /** How many kinds of keys they are of, of all owners. */
  readonly abouts: number;
}

/** Rejects with an Error where it cannot be read; what is no tally is left out. */
export async function unpackTallies(packed: Uint8Array): Promise<UsageTally[]> {
  const rows: unknown = JSON.parse((await inflate(packed, { maxOutputLength: bytesMax })).toString());
  if (!Array.isArray(rows)) throw new Error('a batch of use is not a list of tallies');
  const abouts = readAbouts(rows[0]);
  return rows.flatMap((row) => (isRow(row) ? fromRow(row, abouts) : []));
}

function readAbouts(first: unknown): readonly (UsageAbout | undefined)[] {
  const list: unknown = Object(first).abouts;
  return Array.isArray(list) ? list.map((about) => (isAbout(about) ? about : undefined)) : [];
}

function isAbout(value: unknown): value is UsageAbout {
  if (typeof value !== 'object' || value === null) return false;
  const { owner, plan, scheme, environment } = value as Record<keyof UsageAbout, unknown>;
  return [owner, plan, scheme, environment].every((part) => part === null || typeof part === 'string');
}

function toRow(
  { key, hour, allowed, lastUsedAt, addresses, denied, observed }: UsageTally,
  about: number,
): Row {
  // Releases of before read two objects there, or nothing.
  const isPlain = isEmpty(denied) && isEmpty(observed);
  return [
    key,
    hour,
    allowed,
    lastUsedAt,
    addresses,
    isPlain ? none : denied,
    isPlain ? none : observed,
    about,
  ];
}

function fromRow(row: Row, abouts: readonly (UsageAbout | undefined)[]): UsageTally {
  const [key, hour, allowed, lastUsedAt, addresses, denied = none, observed = none, place] = row;
  const about = place === undefined ? undefined : abouts[place];
  return { key: key as KeyId, hour, allowed, lastUsedAt, addresses, denied, observed, about };
}

export function isEmpty(counts: Counts): boolean {
  for (const _ in counts) return false;
  return true;
}

function isRow(row: unknown): row is Row {
  if (!Array.isArray(row)) return false;
  const [key, hour, allowed, lastUsedAt, addresses, denied = none, observed = none] = row as unknown[];
  return (
    typeof key === 'string' &&
    isTime(hour) &&
    Number.isSafeInteger(allowed) &&
    (lastUsedAt === null || isTime(lastUsedAt)) &&
    Array.isArray(addresses) &&
    addresses.every((address) => typeof address === 'string') &&
    isCounts(denied) &&
    isCounts(observed)
  );
}

function isTime(value: unknown): boolean {
  return typeof value === 'number' && !Number.isNaN(new Date(value).getTime());
}

/** Names become those of fields. */
function isCounts(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).every(
    ([name, count]) => /^[a-z_]+$/.test(name) && Number.isSafeInteger(count),
  );
}
