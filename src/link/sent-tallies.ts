import type { KeyId } from '../keys/key.ts';
import type { UsageTally } from '../store/usage-tally.ts';

/**
 * Tallies on their way to the service. Of nearly all, a key that was allowed from one address, only what differs is sent,
 * by columns: as the objects that they are, they take 2.6 µs of both ends' time each, and so 0.1.
 */
export interface SentTallies {
  /** Tallies alike in all but these: allowed within one hour, from one address that is known, and never denied. */
  readonly plain: {
    readonly hour: number;
    /** Joined by spaces, of which neither has one. */
    readonly keys: string;
    readonly addresses: string;
    readonly allowed: Uint32Array;
    /** Milliseconds since the hour began. */
    readonly lastUsed: Uint32Array;
  } | null;
  readonly others: readonly UsageTally[];
}

const hourMs = 3_600_000;
const countMax = 0xffff_ffff;
const none: UsageTally['denied'] = Object.freeze({});

/** The order is kept, but that plain ones stand before the others. */
export function sendTallies(tallies: readonly UsageTally[]): SentTallies {
  const hour = tallies.find(isPlain)?.hour;
  if (hour === undefined) return { plain: null, others: tallies };
  const plain: UsageTally[] = [];
  const others: UsageTally[] = [];
  for (const tally of tallies) (tally.hour === hour && isPlain(tally) ? plain : others).push(tally);
  return {
    plain: {
      hour,
      keys: plain.map(({ key }) => key).join(' '),
      addresses: plain.map(({ addresses }) => addresses[0]).join(' '),
      allowed: Uint32Array.from(plain, ({ allowed }) => allowed),
      lastUsed: Uint32Array.from(plain, ({ lastUsedAt }) => (lastUsedAt as number) - hour),
    },
    others,
  };
}

export function takeTallies({ plain, others }: SentTallies): readonly UsageTally[] {
  if (plain === null) return others;
  const { hour, allowed, lastUsed } = plain;
  const addresses = plain.addresses.split(' ');
  const tallies = plain.keys.split(' ').map(
    (key, at): UsageTally => ({
      ...{ key: key as KeyId, hour, allowed: allowed[at] as number, denied: none, observed: none },
      lastUsedAt: hour + (lastUsed[at] as number),
      addresses: [addresses[at] as string],
    }),
  );
  return others.length === 0 ? tallies : [...tallies, ...others];
}

function isPlain({ hour, allowed, denied, observed, lastUsedAt, addresses }: UsageTally): boolean {
  if (addresses.length !== 1 || lastUsedAt === null || allowed > countMax) return false;
  // A clock that was set back between two uses leaves the last of them in another hour.
  if (lastUsedAt < hour || lastUsedAt >= hour + hourMs) return false;
  for (const _ in denied) return false;
  for (const _ in observed) return false;
  return true;
}
