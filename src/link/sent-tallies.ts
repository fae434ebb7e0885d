import type { KeyId } from '../keys/key.ts';
import {
  type AllowedTallies,
  type Column,
  createAllowedColumns,
  none,
  talliesOf,
} from '../store/usage/allowed-tallies.ts';
import { aboutPlaces, type UsageAbout, type UsageTally } from '../store/usage/usage-tally.ts';

/** Tallies on their way to the service: by columns, in which a tally takes little more than what differs. */
export interface SentTallies {
  readonly allowed: AllowedTallies | null;
  /** Those that were never allowed, and denied for one reason, from one address at the most. */
  readonly denied: {
    readonly hour: number;
    readonly keys: string;
    /** Nothing between two spaces for none. */
    readonly addresses: string;
    readonly reasons: string;
    readonly counts: Uint32Array;
    readonly abouts: Column<UsageAbout | null>;
  } | null;
  readonly others: readonly UsageTally[];
}

const hourMs = 3_600_000;
const countMax = 0xffff_ffff;

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
  return { allowed: allowedColumns(hour, plain), denied: deniedColumns(hour, denied), others };
}

/** Those of keys that were allowed, which are by columns already. */
export function sendAllowed(allowed: AllowedTallies): SentTallies {
  return { allowed, denied: null, others: [] };
}

export function takeTallies({ allowed, denied, others }: SentTallies): readonly UsageTally[] {
  const tallies = allowed === null ? [] : talliesOf(allowed);
  if (denied === null && others.length === 0) return tallies;
  return [...tallies, ...deniedTallies(denied), ...others];
}

function allowedColumns(hour: number, plain: readonly UsageTally[]): SentTallies['allowed'] {
  if (plain.length === 0) return null;
  const columns = createAllowedColumns(hour, plain.length);
  for (const { key, allowed, lastUsedAt, addresses, about } of plain) {
    const counts = { allowed, lastUsed: (lastUsedAt as number) - hour, address: addresses[0] ?? '' };
    columns.add(key, counts, about);
  }
  return columns.tallies();
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
  if (addresses.length > 1 || lastUsedAt === null || allowed > countMax) return false;
  // A clock that was set back between two uses leaves the last of them in another hour.
  if (lastUsedAt < hour || lastUsedAt >= hour + hourMs) return false;
  for (const _ in denied) return false;
  for (const _ in observed) return false;
  return true;
}

function sendAbouts(tallies: readonly Pick<UsageTally, 'about'>[]): Column<UsageAbout | null> {
  const known: (UsageAbout | null)[] = [];
  const placeOf = aboutPlaces((about) => known.push(about) - 1);
  return { places: Uint32Array.from(tallies, ({ about }) => placeOf(about)), known };
}

/** One object of all keys that were the same. */
function aboutAt({ known, places }: Column<UsageAbout | null>, at: number): UsageAbout | undefined {
  return known[places[at] as number] ?? undefined;
}
