import { hash } from 'node:crypto';
import type { z } from 'zod';
import { type Failure, invalidArgument } from '../../failure.ts';
import { isKeyId } from '../../keys/key.ts';
import type { Store } from '../../store/store.ts';
import {
  dayMs,
  hourMs,
  startOf,
  type UsagePlace,
  type UsageQuery,
  type UsageSum,
} from '../../store/usage/usage-sums.ts';
import { type Call, ownerFor, visibleTo } from '../call.ts';
import { cut } from '../page.ts';
import { readInput } from '../read-input.ts';
import { getUsageInput } from './usage-input.ts';

export interface UsagePage {
  /** In the order asked for. */
  readonly rows: readonly UsageSum[];
  /** Null on the last page. */
  readonly nextPageToken: string | null;
}

/** What keys were used for in all. */
export interface UsageOperations {
  /** An admin key that has an owner sees the use of its keys alone. */
  getUsage(call: Call, input: unknown): Promise<UsagePage>;
}

export interface UsageOperationsDependencies {
  readonly store: Pick<Store, 'getKey' | 'sumUsage'>;
  readonly now: () => number;
}

const sizeDefault = 100;
export const usageSizeMax = 10_000;
/** Keys that are read at once to see whether the caller may know of them. */
const keysAtOnce = 100;

export function createUsageOperations({ store, now }: UsageOperationsDependencies): UsageOperations {
  return {
    async getUsage(call, input) {
      const asked = readInput(getUsageInput, input);
      const { since, until } = asked;
      if (since !== null && until !== null && since >= until) throw refused('until', 'is not after since');
      const owner = ownerFor(call, asked.owner);
      const size = Math.min(asked.page_size || sizeDefault, usageSizeMax);
      const mark = markOf({ ...asked, owner });
      const after = asked.page_token ? readToken(asked.page_token, mark) : null;
      const { shown, last } = cut(
        await store.sumUsage({ ...queryOf(asked), owner, after, size: size + 1 }),
        size,
      );
      const rows = asked.group_by === 'key' ? await visible(call, shown) : shown;
      return { rows, nextPageToken: last === null ? null : writeToken(last, mark) };
    },
  };

  function queryOf({ group_by, interval: given, since, until: end, order_by }: Asked) {
    const interval = given ?? 'hour';
    const until = end ?? now() + 1;
    return {
      ...{ group: group_by ?? 'none', interval, order: order_by ?? 'allowed' },
      ...{ since: since ?? sinceDefault(interval, until), until },
    } satisfies Partial<UsageQuery>;
  }

  /** For a portal session without the admin keys of its owner; so a page may be shorter than was asked for. */
  async function visible(call: Call, rows: readonly UsageSum[]): Promise<readonly UsageSum[]> {
    if (call.identity.portal === null) return rows;
    const isVisible = visibleTo(call);
    const seen = new Set<string | null>();
    const ids = [...new Set(rows.flatMap(({ group }) => (group !== null && isKeyId(group) ? [group] : [])))];
    for (let start = 0; start < ids.length; start += keysAtOnce) {
      const keys = await Promise.all(ids.slice(start, start + keysAtOnce).map((id) => store.getKey(id)));
      for (const key of keys) if (key !== null && isVisible(key)) seen.add(key.id);
    }
    return rows.filter(({ group }) => seen.has(group));
  }
}

type Asked = z.output<typeof getUsageInput>;

/** A day by the hour, a month by the day, a year by the month, or all. */
function sinceDefault(interval: UsageQuery['interval'], until: number): number {
  const last = until - 1;
  if (interval === 'hour') return startOf('hour', last) - 23 * hourMs;
  if (interval === 'day') return startOf('day', last) - 29 * dayMs;
  if (interval === 'all') return 0;
  const date = new Date(last);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() - 11, 1);
}

/** Opaque to callers: the last row shown, and the query it belongs to. */
function writeToken({ group, start, allowed, denied }: UsageSum, mark: string): string {
  const denials = Object.values(denied).reduce((sum, count) => sum + count, 0);
  return Buffer.from(`${mark}u${JSON.stringify([group, start, allowed, denials])}`).toString('base64url');
}

function readToken(token: string, mark: string): UsagePlace {
  const text = Buffer.from(token, 'base64url').toString();
  const place = placeIn(text.slice(mark.length));
  if (place === null) throw refused('page_token', 'is not one that this service gave for a list of use');
  if (!text.startsWith(mark)) throw refused('page_token', 'belongs to a query with other fields');
  return place;
}

function placeIn(text: string): UsagePlace | null {
  if (!text.startsWith('u')) return null;
  let parts: unknown;
  try {
    parts = JSON.parse(text.slice(1));
  } catch {
    return null;
  }
  if (!Array.isArray(parts) || parts.length !== 4) return null;
  const [group, start, allowed, denials] = parts as unknown[];
  if (group !== null && typeof group !== 'string') return null;
  if (start !== null && !isTime(start)) return null;
  return isCount(allowed) && isCount(denials) ? { group, start, allowed, denials } : null;
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && !Number.isNaN(new Date(value).getTime());
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function markOf({ group_by, interval, since, until, owner, order_by }: Asked): string {
  const parts = [group_by ?? 'none', interval ?? 'hour', since, until, owner, order_by ?? 'allowed'];
  return hash('sha256', JSON.stringify(parts), 'base64url').slice(0, 16);
}

function refused(field: string, description: string): Failure {
  return invalidArgument([{ field, description }]);
}
