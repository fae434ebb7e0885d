import type { LoggedRequest } from '../../api-answers.ts';
import { html, type Markup, path, stateMark, timeMarkup } from '../../markup/markup.ts';
import { tableMarkup } from '../../markup/table.ts';

/** What became of requests, the newest first. */
export function requestTable(requests: readonly LoggedRequest[], showsKeys: boolean): Markup {
  if (requests.length === 0) return html`<p>No requests.</p>`;
  const columns = ['Time', ...(showsKeys ? ['Key'] : []), 'Request', 'Count', 'Address', 'Result'];
  return tableMarkup({
    caption: 'Requests, the newest first',
    columns,
    named: 0,
    rows: requests.map((request) => [
      timeMarkup(request.at),
      ...(showsKeys ? [keyMarkup(request.key_id)] : []),
      requestMarkup(request),
      String(request.count),
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
  return html`${stateMark(decision === 'observed' ? 'observed' : 'denied')} ${reason} (${status})`;
}
