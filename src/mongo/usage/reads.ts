import type { KeyId } from '../../keys/key.ts';
import { type CountedUse, requestsOf, type UsageStore } from '../../store/usage/usage-store.ts';
import { startOf } from '../../store/usage/usage-sums.ts';
import type { UsageTally } from '../../store/usage/usage-tally.ts';
import type { UsageHours } from './hours.ts';
import type { OpenReads } from './open/open-reads.ts';
import { byOnePlan, type UsagePlans } from './plan.ts';
import { settledOf, toldBefore } from './plan-hours.ts';
import { sumsOf } from './sums/tally-sums.ts';

/** What keys were used for by the hour, whether it is in rows, in open documents, or in both. */
export interface UsageReads {
  /** From the hour that holds `since` on, oldest first. */
  get(key: KeyId, since: number): Promise<UsageTally[]>;
  count: UsageStore['countUse'];
  /** When these keys were used last, where their own documents may not say it yet. */
  lastUses(keys: readonly KeyId[]): Promise<ReadonlyMap<KeyId, number>>;
  /** Last uses before this are said by keys' own documents. */
  toldUntil(): Promise<number>;
}

export function createUsageReads({
  plans,
  hours,
  open,
}: {
  readonly plans: Pick<UsagePlans, 'read'>;
  readonly hours: Pick<UsageHours, 'get' | 'count' | 'lastUses'>;
  readonly open: Pick<OpenReads, 'of'>;
}): UsageReads {
  return {
    get: (key, since) =>
      byOnePlan(plans, async (plan) => {
        const settled = settledOf(plan);
        const waiting = await open.of([key], plan?.runs ?? [], Math.max(startOf('hour', since), settled));
        const found = [...(await hours.get(key, since, settled)), ...waiting];
        return sumsOf(found.map(({ about: _, ...tally }) => tally)).sort(
          (one, other) => one.hour - other.hour,
        );
      }),
    count: async (keys, asked) => {
      if (keys.length === 0 || asked.length === 0) return [];
      return byOnePlan(plans, async (plan) => {
        const settled = settledOf(plan);
        const isAsked = new Set(asked);
        const first = Math.max(Math.min(...asked), settled);
        const waiting = Math.max(...asked) < settled ? [] : await open.of(keys, plan?.runs ?? [], first);
        const sums = new Map<string, CountedUse>();
        const add = ({ key, hour, requests }: CountedUse) => {
          const name = `${key} ${hour}`;
          sums.set(name, { key, hour, requests: requests + (sums.get(name)?.requests ?? 0) });
        };
        for (const counted of await hours.count(keys, asked, settled)) add(counted);
        for (const tally of waiting) {
          if (isAsked.has(tally.hour)) add({ key: tally.key, hour: tally.hour, requests: requestsOf(tally) });
        }
        return [...sums.values()];
      });
    },
    async lastUses(keys) {
      const plan = await plans.read();
      const told = toldBefore(plan);
      const uses =
        told === Number.POSITIVE_INFINITY ? new Map<KeyId, number>() : await hours.lastUses(keys, told);
      for (const { key, lastUsedAt } of await open.of(keys, plan?.runs ?? [], settledOf(plan))) {
        if (lastUsedAt !== null) uses.set(key, Math.max(lastUsedAt, uses.get(key) ?? 0));
      }
      return uses;
    },
    toldUntil: async () => toldBefore(await plans.read()),
  };
}
