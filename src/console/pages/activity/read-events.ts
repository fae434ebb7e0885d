import { isKeyId } from '../../../keys/key.ts';
import type { Api } from '../../api.ts';
import type { AuditEvent } from '../../api-answers.ts';
import { Refusal } from '../../refusal.ts';

export interface EventsWanted {
  /** Ids, of which an entry has one; empty for any. */
  readonly actors: readonly string[];
  readonly targets: readonly string[];
  /** The other filters of the API. */
  readonly filters: Readonly<Record<string, string | null>>;
  /** The id of the entry behind which the page begins; empty for the newest. */
  readonly after: string;
  readonly size: number;
}

export interface EventsFound {
  /** The newest first. */
  readonly events: readonly AuditEvent[];
  /** Behind which the next page begins; null where there is none. */
  readonly next: string | null;
}

/** Reads of the API that one page makes at most. */
const readsMax = 24;

/** Entries about several ids, or by several, as one list: the API asks for one of each at a time. */
export async function readEvents(
  api: Api,
  { actors, targets, filters, after, size }: EventsWanted,
): Promise<EventsFound> {
  const pairs = orAny(actors).flatMap((actor) => orAny(targets).map((target) => ({ actor, target })));
  const lists = await Promise.all(
    pairs.slice(0, readsMax).map(async (pair) => {
      const given = Object.entries({ ...filters, ...pair, after: after || null });
      const query = new URLSearchParams(
        given.filter((entry): entry is [string, string] => entry[1] !== null),
      );
      query.set('page_size', String(size + 1));
      return (await api.events(query.toString())).data;
    }),
  );
  const all = new Map(lists.flat().map((event) => [event.id, event]));
  const sorted = [...all.values()].toSorted((one, other) => (one.id < other.id ? 1 : -1));
  const events = await withNames(api, sorted.slice(0, size));
  return { events, next: sorted.length > size ? (events.at(-1)?.id ?? null) : null };
}

function orAny(ids: readonly string[]): readonly (string | null)[] {
  return ids.length === 0 ? [null] : ids;
}

/** Keys whose names a page asks for at most, beside those that its entries have. */
const namesMax = 20;

/** An entry by a stranger tells no name, nor does one of before there were names: those that keys have now stand there. */
async function withNames(api: Api, events: readonly AuditEvent[]): Promise<readonly AuditEvent[]> {
  const nameless = events.flatMap(({ actor, actor_name, target, target_name }) => [
    ...(actor_name ? [] : [actor]),
    ...(target_name ? [] : [target]),
  ]);
  const ids = [...new Set(nameless)]
    .filter((id) => id !== null)
    .filter(isKeyId)
    .slice(0, namesMax);
  if (ids.length === 0) return events;
  const names = new Map<string | null, string | null>(
    await Promise.all(ids.map(async (id) => [id, await nameOf(api, id as string)] as const)),
  );
  return events.map((event) => ({
    ...event,
    actor_name: event.actor_name ?? names.get(event.actor) ?? null,
    target_name: event.target_name ?? names.get(event.target) ?? null,
  }));
}

async function nameOf(api: Api, id: string): Promise<string | null> {
  try {
    return (await api.key(id)).name;
  } catch (error) {
    // It is gone, or never was.
    if (error instanceof Refusal && error.status < 500) return null;
    throw error;
  }
}
