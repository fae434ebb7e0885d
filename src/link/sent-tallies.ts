import type { KeyId } from '../keys/key.ts';
import { aboutPlaces, type UsageAbout, type UsageTally } from '../store/usage/usage-tally.ts';

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
    readonly abouts: SentAbouts;
  } | null;
  /** Those that were never allowed, and denied for one reason, from one address at the most. */
  readonly denied: {
    readonly hour: number;
    readonly keys: string;
    /** Nothing between two spaces for none. */
    readonly addresses: string;
    readonly reasons: string;
    readonly counts: Uint32Array;
    readonly abouts: SentAbouts;
  } | null;
  readonly others: readonly UsageTally[];
}

/** What the keys were: those that differ, and which of them each has. */
interface SentAbouts {
  readonly known: readonly (UsageAbout | null)[];
  readonly places: Uint32Array;
}

const hourMs = 3_600_000;
const countMax = 0xffff_ffff;
const none: UsageTally['denied'] = Object.freeze({});

/** The order is kept, but that plain ones stand before those that were denied, and these before the others. */
export function sendTallies(tallies: readonly UsageTally[]): SentTallies {
  const hour = tallies[0]?.hour ?? 0;
  const plain: UsageTally[] = [];
  const denied: DeniedOnce[] = [];
  const others: UsageTally[] = [];
  for (const tally of tallies) {
    const once = tally.hour === hour ? deniedOnce(tally) : null;
    if (once !== null) denied.push(once);
    else (tally.hour === hour && isPlain(tally) ? plain : others).push(tally);
  }
  return { plain: plainColumns(hour, plain), denied: deniedColumns(hour, denied), others };
}

export function takeTallies({ plain, denied, others }: SentTallies): readonly UsageTally[] {
  return [...plainTallies(plain), ...deniedTallies(denied), ...others];
}

function plainColumns(hour: number, plain: readonly UsageTally[]): SentTallies['plain'] {
  if (plain.length === 0) return null;
  return {
    hour,
    keys: plain.map(({ key }) => key).join(' '),
    addresses: plain.map(({ addresses }) => addresses[0]).join(' '),
    allowed: Uint32Array.from(plain, ({ allowed }) => allowed),
    lastUsed: Uint32Array.from(plain, ({ lastUsedAt }) => (lastUsedAt as number) - hour),
    abouts: sendAbouts(plain),
  };
}

function plainTallies(plain: SentTallies['plain']): UsageTally[] {
  if (plain === null) return [];
  const { hour, allowed, lastUsed, abouts } = plain;
  const addresses = plain.addresses.split(' ');
  return plain.keys.split(' ').map((key, at) => ({
    ...{ key: key as KeyId, hour, allowed: allowed[at] as number, denied: none, observed: none },
    lastUsedAt: hour + (lastUsed[at] as number),
    ...{ addresses: [addresses[at] as string], about: aboutAt(abouts, at) },
  }));
}

interface DeniedOnce {
  readonly key: KeyId;
  readonly address: string;
  readonly reason: string;
  readonly count: number;
  readonly about: UsageAbout | undefined;
}

function deniedColumns(hour: number, denied: readonly DeniedOnce[]): SentTallies['denied'] {
  if (denied.length === 0) return null;
  return {
    hour,
    keys: denied.map(({ key }) => key).join(' '),
    addresses: denied.map(({ address }) => address).join(' '),
    reasons: denied.map(({ reason }) => reason).join(' '),
    counts: Uint32Array.from(denied, ({ count }) => count),
    abouts: sendAbouts(denied),
  };
}

function deniedTallies(denied: SentTallies['denied']): UsageTally[] {
  if (denied === null) return [];
  const { hour, counts, abouts } = denied;
  const addresses = denied.addresses.split(' ');
  const reasons = denied.reasons.split(' ');
  return denied.keys.split(' ').map((key, at) => {
    const address = addresses[at] as string;
    return {
      ...{ key: key as KeyId, hour, allowed: 0, denied: { [reasons[at] as string]: counts[at] as number } },
      ...{ observed: none, lastUsedAt: null, addresses: address === '' ? [] : [address] },
      about: aboutAt(abouts, at),
    };
  });
}

/** Null for a tally that is more than that. */
function deniedOnce({
  key,
  allowed,
  denied,
  observed,
  lastUsedAt,
  addresses,
  about,
}: UsageTally): DeniedOnce | null {
  if (allowed !== 0 || lastUsedAt !== null || addresses.length > 1) return null;
  const [only, another] = Object.entries(denied);
  if (only === undefined || another !== undefined) return null;
  for (const _ in observed) return null;
  const [reason, count] = only;
  return count > countMax ? null : { key, address: addresses[0] ?? '', reason, count, about };
}

function isPlain({ hour, allowed, denied, observed, lastUsedAt, addresses }: UsageTally): boolean {
  if (addresses.length !== 1 || lastUsedAt === null || allowed > countMax) return false;
  // A clock that was set back between two uses leaves the last of them in another hour.
  if (lastUsedAt < hour || lastUsedAt >= hour + hourMs) return false;
  for (const _ in denied) return false;
  for (const _ in observed) return false;
  return true;
}

function sendAbouts(tallies: readonly Pick<UsageTally, 'about'>[]): SentAbouts {
  const known: (UsageAbout | null)[] = [];
  const placeOf = aboutPlaces((about) => known.push(about) - 1);
  return { places: Uint32Array.from(tallies, ({ about }) => placeOf(about ?? null)), known };
}

/** One object of all keys that were the same. */
function aboutAt({ known, places }: SentAbouts, at: number): UsageAbout | undefined {
  return known[places[at] as number] ?? undefined;
}
