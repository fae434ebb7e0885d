import type { AuditEvent } from '../../api-answers.ts';
import { html, type Markup, path, stateMark, timeMarkup } from '../../markup/markup.ts';
import { tableMarkup } from '../../markup/table.ts';

/** Entries of the journal, the newest first, with what each changed. */
export function eventList(events: readonly AuditEvent[]): Markup {
  if (events.length === 0) return html`<p>There are no entries.</p>`;
  return tableMarkup({
    caption: 'Entries of the audit log, the newest first',
    columns: 'Action, Time, Outcome, Actor, Target, Address, Details'.split(', '),
    named: 0,
    rows: events.map((event) => [
      event.action,
      timeMarkup(event.at),
      html`${stateMark(event.outcome)}${event.error === null ? '' : ` ${event.error}`}`,
      named(event.actor, event.actor_name),
      named(event.target, event.target_name),
      event.address ?? '–',
      change(event),
    ]),
  });
}

/** An id, and its name as it was then; that of a key leads to it. */
function named(id: string | null, name: string | null = null): Markup {
  if (id === null) return '–';
  const shown = id.startsWith('key_') ? html`<a href=${path(['keys', id])}>${id}</a>` : id;
  return name === null ? shown : html`${name} (${shown})`;
}

function change({ id, before, after, request_id: requestId }: AuditEvent): Markup {
  if (before === null && after === null && requestId === null) return '–';
  const part = (title: string, value: unknown) =>
    value === null
      ? null
      : html`<p>${title}</p>
          <pre tabindex="0">${JSON.stringify(value, null, 2)}</pre>`;
  return html`<details>
    <summary>Show<span class="unseen"> ${id}</span></summary>
    ${requestId === null ? null : html`<p>Request ${requestId}</p>`} ${part('Before', before)} ${part('After', after)}
  </details>`;
}
