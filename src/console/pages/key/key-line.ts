import type { Api } from '../../api.ts';
import type { AuditEvent, Key } from '../../api-answers.ts';
import { html, type Markup, path } from '../../markup/markup.ts';
import { Refusal } from '../../refusal.ts';
import { eventList } from '../activity/event-list.ts';
import type { EventsFound } from '../activity/read-events.ts';

/** Rotations before and after a key whose history a page tells as one. */
const keysMax = 10;
const eventsShown = 15;

/** The keys of one line of rotations, the oldest first; those that are gone, and what is behind them, are left out. */
export async function lineOf(api: Api, key: Key): Promise<readonly Key[]> {
  const walk = async (next: (key: Key) => string | null) => {
    const found: Key[] = [];
    for (let id = next(key); id !== null && found.length < keysMax; ) {
      const one = await keyOrNull(api, id);
      if (one === null) break;
      found.push(one);
      id = next(one);
    }
    return found;
  };
  const [before, after] = await Promise.all([
    walk(({ rotated_from: from }) => from),
    walk(({ replaced_by: to }) => to),
  ]);
  return [...before.toReversed(), key, ...after];
}

async function keyOrNull(api: Api, id: string): Promise<Key | null> {
  try {
    return await api.key(id);
  } catch (error) {
    if (error instanceof Refusal && error.status < 500) return null;
    throw error;
  }
}

/** What was done with the key and with those that it replaced or that replaced it, and the import that they came by. */
export async function historyOf(api: Api, { id }: Key): Promise<EventsFound> {
  const asked = { target: id, history: 'true', notices: 'true', page_size: String(eventsShown) };
  const { data: events, next_page_token: next } = await api.events(new URLSearchParams(asked).toString());
  return { events, next };
}

/** The entry that ended a key, or that reported its leak; null where the journal has none, or has it no more. */
export async function entryOf(
  api: Api,
  { id }: Key,
  actions: readonly string[],
  order: 'oldest' | 'newest' = 'newest',
): Promise<AuditEvent | null> {
  const found = await Promise.all(
    actions.map((action) => {
      const query = new URLSearchParams({ target: id, action, outcome: 'ok', order, page_size: '1' });
      return api.events(query.toString());
    }),
  );
  return found.flatMap(({ data }) => data).toSorted((one, other) => (one.id < other.id ? 1 : -1))[0] ?? null;
}

export function historySection(key: Key, line: readonly Key[], { events, next }: EventsFound): Markup {
  const others = line.length - 1;
  return html`<section aria-labelledby="history">
    <h2 id="history">History</h2>
    ${others === 0 ? null : html`<p class="muted">Over ${others === 1 ? 'its rotation' : `${others} rotations`}: ${lineMarkup(line, key)}</p>`}
    ${events.length === 0 ? html`<p class="none">The journal has no entry about it any more.</p>` : eventList(events)}
    ${next === null ? null : html`<p><a href=${path(['activity'], { target: key.id, notices: 'true' })}>All entries about this key</a></p>`}
  </section>`;
}

/** The keys in their order, this one without a link. */
function lineMarkup(line: readonly Key[], key: Key): Markup {
  return html`${line.map((one, at) => {
    const before = at === 0 ? '' : ', then ';
    return one.id === key.id
      ? html`${before}<strong>${one.name}</strong>`
      : html`${before}<a href=${path(['keys', one.id])}>${one.name}</a>`;
  })}`;
}
