import { promisify } from 'node:util';
import { deflateRaw, inflateRaw } from 'node:zlib';
import type { KeyId } from '../../keys/key.ts';
import type { Reason } from '../../schemes/answer.ts';
import type { UsageTally } from '../../store/usage-tally.ts';

type Counts = Partial<Record<Reason, number>>;
/** Denials and what was observed are left out where there is neither, which is nearly always. */
type Row = [
  key: string,
  hour: number,
  allowed: number,
  lastUsedAt: number | null,
  addresses: readonly string[],
  denied?: Counts,
  observed?: Counts,
];

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
export async function packTallies(tallies: readonly UsageTally[]): Promise<Buffer> {
  return deflate(JSON.stringify(tallies.map(toRow)), { level });
}

/** Rejects with an Error where it cannot be read; what is no tally is left out. */
export async function unpackTallies(packed: Uint8Array): Promise<UsageTally[]> {
  const rows: unknown = JSON.parse((await inflate(packed, { maxOutputLength: bytesMax })).toString());
  if (!Array.isArray(rows)) throw new Error('a batch of use is not a list of tallies');
  return rows.flatMap((row) => (isRow(row) ? fromRow(row) : []));
}

function toRow({ key, hour, allowed, lastUsedAt, addresses, denied, observed }: UsageTally): Row {
  return isEmpty(denied) && isEmpty(observed)
    ? [key, hour, allowed, lastUsedAt, addresses]
    : [key, hour, allowed, lastUsedAt, addresses, denied, observed];
}

function fromRow([key, hour, allowed, lastUsedAt, addresses, denied, observed]: Row): UsageTally {
  return {
    ...{ key: key as KeyId, hour, allowed, lastUsedAt, addresses },
    ...{ denied: denied ?? none, observed: observed ?? none },
  };
}

function isEmpty(counts: Counts): boolean {
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
