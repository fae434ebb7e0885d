import type { Reason } from '../schemes/answer.ts';
import {
  createPlainColumns,
  type PlainCounts,
  type PlainTallies,
  talliesOf,
} from '../store/usage/plain-tallies.ts';
import type { UsageTally } from '../store/usage/usage-tally.ts';

/** Tallies on their way to the service: by columns, in which a tally takes little more than what differs. */
export interface SentTallies {
  readonly plain: PlainTallies | null;
  readonly others: readonly UsageTally[];
}

const hourMs = 3_600_000;
const countMax = 0xffff_ffff;

/** The order is kept, but that plain ones stand before the others. */
export function sendTallies(tallies: readonly UsageTally[]): SentTallies {
  const hour = tallies[0]?.hour ?? 0;
  const columns = createPlainColumns(hour, tallies.length);
  const others: UsageTally[] = [];
  for (const tally of tallies) {
    const counts = tally.hour === hour ? countsOf(tally) : null;
    if (counts === null) others.push(tally);
    else columns.add(tally.key, counts, tally.about);
  }
  return { plain: columns.size === 0 ? null : columns.tallies(), others };
}

/** Tallies in one message that are not plain: a quarter of a millisecond, to make it and to send it. */
export const talliesAtOnce = 250;

/** Those that are by columns already. */
export function sendPlain(plain: PlainTallies): SentTallies {
  return { plain, others: [] };
}

export function takeTallies({ plain, others }: SentTallies): readonly UsageTally[] {
  const tallies = plain === null ? [] : talliesOf(plain);
  return others.length === 0 ? tallies : [...tallies, ...others];
}

/** Puts together what came in parts, of one worker, which sends one write after another. */
export interface SentUsage {
  /** A part of what is recorded next, after so many that are held. */
  holdUsage(tallies: SentTallies, held: number): void;
  /** By one write: these, and those that are held, of which there are so many. */
  recordUsage(tallies: SentTallies, held: number): Promise<void>;
}

export function createSentUsage(record: (tallies: readonly UsageTally[]) => Promise<void>): SentUsage {
  let parts: UsageTally[] = [];

  /** A write whose part was lost is sent again as a whole. */
  function requireHeld(held: number): void {
    if (held === 0) parts = [];
    if (parts.length !== held) throw new Error('a part of the use to record is missing');
  }

  return {
    holdUsage(sent, held) {
      requireHeld(held);
      parts.push(...takeTallies(sent));
    },
    async recordUsage(sent, held) {
      requireHeld(held);
      const whole = held === 0 ? takeTallies(sent) : parts.concat(takeTallies(sent));
      parts = [];
      await record(whole);
    },
  };
}

/** Null for a tally that is not plain. */
function countsOf({
  hour,
  allowed,
  denied,
  observed,
  lastUsedAt,
  addresses,
}: UsageTally): PlainCounts | null {
  if (addresses.length > 1) return null;
  for (const _ in observed) return null;
  let reason: Reason | '' = '';
  for (const each in denied) {
    if (reason !== '') return null;
    reason = each as Reason;
  }
  const [address = ''] = addresses;
  if (reason !== '') {
    const count = denied[reason] as number;
    if (allowed !== 0 || lastUsedAt !== null || count > countMax) return null;
    return { count, reason, lastUsed: 0, address };
  }
  // A clock that was set back between two uses leaves the last of them in another hour.
  if (lastUsedAt === null || lastUsedAt < hour || lastUsedAt >= hour + hourMs) return null;
  return allowed > countMax ? null : { count: allowed, reason, lastUsed: lastUsedAt - hour, address };
}
