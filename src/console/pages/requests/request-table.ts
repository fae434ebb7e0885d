import type { LoggedRequest } from '../../api-answers.ts';
import { html, type Markup, path, stateMark, timeMarkup } from '../../markup/markup.ts';
import { grouped } from '../../markup/parts.ts';
import { reasonText } from '../../markup/reason.ts';
import { tableMarkup } from '../../markup/table.ts';

/** What became of requests, the newest first. */
export function requestTable(requests: readonly LoggedRequest[], showsKeys: boolean): Markup {
  if (requests.length === 0) return html`<p class="muted">No requests.</p>`;
  const columns = [
    { name: 'Time', kind: 'time' },
    ...(showsKeys ? ['Key'] : []),
    { name: 'Request', kind: 'asked' },
    { name: 'Count', isNumeric: true },
    'Address',
    { name: 'Result', kind: 'result' },
  ];
  return tableMarkup({
    caption: 'Requests, the newest first',
    kind: 'requests',
    columns,
    named: 0,
    rows: requests.map((request) => [
      timeMarkup(request.at),
      ...(showsKeys ? [keyMarkup(request.key_id)] : []),
      requestMarkup(request),
      grouped(request.count),
      request.address === null ? '–' : html`<code>${request.address}</code>`,
      resultMarkup(request),
    ]),
  });
}

function keyMarkup(id: string | null): Markup {
  return id === null ? 'None known' : html`<a href=${path(['keys', id])}>${id}</a>`;
}

function requestMarkup({ method, host, path: asked }: LoggedRequest): Markup {
  if (asked === null) return 'Others';
  return html`<code>${method ?? '?'} ${host ?? ''}${asked}</code>`;
}

function resultMarkup({ decision, reason, status }: LoggedRequest): Markup {
  if (decision === 'allow') return stateMark('allowed');
  const word = decision === 'observed' ? 'Observed' : 'Denied';
  const why = reason === null ? '' : html`: <span title=${reason}>${reasonText(reason)}</span>`;
  return html`<span class=${`state ${word.toLowerCase()}`}>${word}${why} (${status})</span>`;
}
