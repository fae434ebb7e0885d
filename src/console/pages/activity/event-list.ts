import type { AuditEvent } from '../../api-answers.ts';
import { html, type Markup, timeMarkup } from '../../markup/markup.ts';
import { titleOf } from './acts.ts';
import { changesOf, type FieldChange } from './changes.ts';
import { sentenceOf } from './sentence.ts';

/** Entries of the journal, the newest first: each a sentence, its time, and which fields it changed. */
export function eventList(events: readonly AuditEvent[]): Markup {
  return html`<ol class="events">
    ${events.map((event) => html`<li class=${`event ${kindOf(event)}`}>${eventMarkup(event)}</li>`)}
  </ol>`;
}

/** What colours the mark before an entry. */
function kindOf({ outcome, action, actor, before, after }: AuditEvent): string {
  if (outcome === 'refused') return 'refused';
  if (/^(?:Revoke|Delete|ReportLeaked)/.test(action)) return 'ended';
  if (/^(?:Disable|.*Exceeded|.*Failures|UnusualVolume|PermissionDenied|Key(?:Expiring|Unused))/.test(action))
    return 'warned';
  return before === null && after !== null && actor !== null ? 'made' : 'plain';
}

function eventMarkup(event: AuditEvent): Markup {
  const { at, address } = event;
  return html`<p class="act">
      <span class="unseen">${event.outcome === 'refused' ? 'Refused: ' : ''}</span>${sentenceOf(event)}
      <span class="when"> · ${timeMarkup(at)}${address === null ? '' : html` · <code>${address}</code>`}</span>
    </p>
    ${event.before === null || isSaid(event) ? null : changeList(changesOf(event.before, event.after))} ${details(event)}`;
}

/** Whether the sentence says all that changed. */
function isSaid({ action }: AuditEvent): boolean {
  return /^(?:Revoke|Disable|Enable|ReportLeaked)/.test(action);
}

function changeList(changes: readonly FieldChange[]): Markup {
  if (changes.length === 0) return null;
  return html`<dl class="changes">
    ${changes.map(
      ({ label, removed, added }) => html`<div>
        <dt>${label}</dt>
        <dd>
          ${removed.map((entry) => html`<del><span class="unseen">before: </span>${valueMarkup(entry)}</del> `)}
          ${added.map((entry) => html`<ins><span class="unseen">after: </span>${valueMarkup(entry)}</ins> `)}
        </dd>
      </div>`,
    )}
  </dl>`;
}

/** Times as everywhere. */
function valueMarkup(entry: string): Markup {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/.test(entry) ? timeMarkup(entry) : entry;
}

/** What only some readers look for. */
function details(event: AuditEvent): Markup {
  const { id, action, request_id: request, target, actor } = event;
  const rows: [string, Markup][] = [
    ['Action', html`${titleOf(action)} <code>${action}</code>`],
    ['Entry', html`<code>${id}</code>`],
    ...(actor === null ? [] : [['By', html`<code>${actor}</code>`] as [string, Markup]]),
    ...(target === null ? [] : [['About', html`<code>${target}</code>`] as [string, Markup]]),
    ...(request === null ? [] : [['Request', html`<code>${request}</code>`] as [string, Markup]]),
    ...(event.error === null ? [] : [['Error', html`<code>${event.error}</code>`] as [string, Markup]]),
  ];
  return html`<details>
    <summary>Details<span class="unseen"> of ${id}</span></summary>
    <dl class="facts">${rows.map(([term, value]) => html`<div><dt>${term}</dt><dd>${value}</dd></div>`)}</dl>
    ${event.before === null || isSaid(event) ? changeList(changesOf(event.before, event.after)) : null}
  </details>`;
}
