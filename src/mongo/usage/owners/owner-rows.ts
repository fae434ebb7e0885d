import type { KeyId } from '../../../keys/key.ts';
import { sumRetentionMs, type UsageUnit } from '../../../store/usage/usage-sums.ts';
import type { UsageAbout, UsageTally, Writable } from '../../../store/usage/usage-tally.ts';
import { usageOwnersName } from '../../collections.ts';
import type { WrittenRun } from '../open/open.ts';
import type { RowKind } from '../open/open-rows.ts';
import { isEmpty } from '../packed-tallies.ts';
import { ownerId } from '../sums/sum-documents.ts';

/** What an owner's keys of one kind were used for; what is not there is nothing. */
export interface OwnerRow {
  /** The owner. */
  readonly k: string | null;
  /** Which of the document's `kinds` they are of, where it is not the first. */
  readonly i?: number;
  readonly allowed?: number;
  readonly denied?: UsageTally['denied'];
  readonly observed?: UsageTally['observed'];
}

/** What keys were, but for their owner. */
type Kind = Omit<UsageAbout, 'owner'>;

interface OwnerContent {
  readonly kinds: readonly Kind[];
  readonly rows: readonly OwnerRow[];
}

/**
 * Of owners, in the collection `usage_owners`. A tally of one goes by a name in place of its key: the owner, and after a space what the
 * keys were.
 */
export const ownerRows: RowKind<OwnerRow, OwnerContent> = {
  collection: usageOwnersName,
  // As months are, to which it is added: it may be long until somebody does so.
  openKeepMs: sumRetentionMs.month,
  contentOf(tallies) {
    const kinds: Kind[] = [];
    const places = new Map<string, number>();
    const rows = tallies.map((tally): OwnerRow => {
      const { owner, plan, scheme, environment } = tally.about ?? noOwner;
      const name = kindName({ plan, scheme, environment });
      const place = places.get(name) ?? kinds.push({ plan, scheme, environment }) - 1;
      places.set(name, place);
      const { allowed, denied, observed } = tally;
      // Member by member, as rows of keys.
      const row: Writable<OwnerRow> = { k: owner };
      if (place !== 0) row.i = place;
      if (allowed !== 0) row.allowed = allowed;
      if (!isEmpty(denied)) row.denied = denied;
      if (!isEmpty(observed)) row.observed = observed;
      return row;
    });
    return { kinds, rows };
  },
  talliesOf({ kinds, rows }, hour) {
    const names = kinds.map(kindName);
    return rows.map(({ k: owner, i = 0, allowed = 0, denied = {}, observed = {} }) => {
      const { plan = null, scheme = null, environment = null } = kinds[i] ?? {};
      return {
        ...{ key: `${ownerId(owner)} ${names[i]}` as KeyId, hour, allowed, denied, observed },
        ...{ lastUsedAt: null, addresses: [], about: { owner, plan, scheme, environment } },
      };
    });
  },
};

const noOwner: UsageAbout = { owner: null, plan: null, scheme: null, environment: null };

/** As a tally of the owner. */
export function ownerTally({ hour, allowed, denied, observed, about = noOwner }: UsageTally): UsageTally {
  const key = `${ownerId(about.owner)} ${kindName(about)}` as KeyId;
  return { key, hour, allowed, denied, observed, lastUsedAt: null, addresses: [], about };
}

function kindName({ plan, scheme, environment }: Kind): string {
  return JSON.stringify([plan, scheme, environment]);
}

/** Below the number of any fold. */
const unitRuns: Readonly<Record<UsageUnit, number>> = { hour: 0, day: 100, month: 200 };

/**
 * The run of all hours that are over, or days or months, whose rows lie in 2 to the power of `bits` buckets: it is never merged.
 * Hours do not go by themselves until their day is closed, which has them then.
 */
export function unitRun(unit: UsageUnit, bits: number): WrittenRun {
  return { run: unitRuns[unit] + bits, bits, keepMs: unit === 'hour' ? null : sumRetentionMs[unit] };
}
