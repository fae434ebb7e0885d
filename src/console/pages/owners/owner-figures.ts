import type { Api } from '../../api.ts';
import { Refusal } from '../../refusal.ts';
import type { Visit } from '../../session/visit.ts';

const weekMs = 7 * 86_400_000;
const hourMs = 3_600_000;

/** How many keys an owner has, up to 10 000 exactly; `state` narrows it. */
export async function countKeys(api: Api, owner: string, state: string | null = null): Promise<number> {
  const asked = { owner, page_size: '1', include_total: 'true', ...(state !== null && { state }) };
  return (await api.keys(new URLSearchParams(asked).toString())).total_size ?? 0;
}

/** Keys of each of these owners. */
export async function keyCounts(api: Api, owners: readonly string[]): Promise<ReadonlyMap<string, number>> {
  return new Map(
    await Promise.all(owners.map(async (owner) => [owner, await countKeys(api, owner)] as const)),
  );
}

/** What the keys of an owner were used for. */
export interface Use {
  readonly allowed: number;
  readonly denied: number;
}

interface UsageRow {
  readonly group: string | null;
  readonly allowed: number;
  readonly denied: Readonly<Record<string, number>>;
}

/** Of the last seven days, of each of these owners; null where that is not told. */
export async function weekOfEach(
  visit: Visit,
  owners: readonly string[],
): Promise<ReadonlyMap<string, Use> | null> {
  const weeks = await Promise.all(owners.map((owner) => weekOfUse(visit, owner)));
  if (weeks.includes(null)) return null;
  return new Map(weeks.flatMap((week) => [...(week ?? [])]));
}

/** Of the last seven days, by the owner, where its keys were used; null where that is not told. */
export async function weekOfUse(
  { api, now }: Visit,
  owner: string,
): Promise<ReadonlyMap<string, Use> | null> {
  const since = new Date(Math.floor((now - weekMs) / hourMs) * hourMs).toISOString();
  const query = new URLSearchParams({ group_by: 'owner', interval: 'all', since, page_size: '1', owner });
  try {
    const { data } = await api.call<{ data: readonly UsageRow[] }>('GET', `usage?${query}`);
    return new Map(
      data.map(({ group, allowed, denied }) => [
        group ?? '',
        { allowed, denied: Object.values(denied).reduce((sum, count) => sum + count, 0) },
      ]),
    );
  } catch (error) {
    if (error instanceof Refusal && error.status < 500) return null;
    throw error;
  }
}
