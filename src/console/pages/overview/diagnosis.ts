import { html, type Markup, stateMark } from '../../markup/markup.ts';
import type { Recalled } from '../../recollection.ts';
import { asOfMarkup, awaited, panel } from './panels.ts';

/** What `GET /admin/diagnostics` answers, as far as it is shown. */
export interface Diagnosis {
  readonly version: string;
  readonly store: string;
  readonly store_reachable: boolean;
  readonly replicas: readonly { readonly id: string; readonly lag_ms: number }[];
  readonly findings: readonly {
    readonly level: 'error' | 'warning' | 'info';
    readonly code: string;
    readonly where: string | null;
    readonly what: string;
    readonly cure: string;
  }[];
}

const levels = ['error', 'warning', 'info'] as const;
const shown = 8;

/** What `postern doctor` would say of the service itself, the worst first. */
export function diagnosisPanel({ value, asOf }: Recalled<{ readonly data: Diagnosis }>): Markup {
  const title = 'What doctor would say';
  if (value === null) return panel('doctor', title, awaited);
  const { version, store, store_reachable, replicas, findings } = value.data;
  const sorted = levels.flatMap((level) => findings.filter((finding) => finding.level === level));
  const told = sorted.slice(0, shown);
  const count = replicas.length === 1 ? '1 replica' : `${replicas.length} replicas`;
  const body = html`<p class="muted">
      Postern ${version}, ${count}, ${store}${store_reachable ? '' : ', which cannot be reached'}.
    </p>
    ${
      told.length === 0
        ? html`<p>${stateMark('ok', 'Nothing is wrong')}</p>`
        : html`<ul class="findings">
            ${told.map(
              ({ level, code, where, what, cure }) => html`<li>
                ${stateMark(level === 'error' ? 'denied' : level === 'warning' ? 'observed' : 'ok', level)}
                <span>${where === null ? '' : `${where}: `}${what} <code>${code}</code></span>
                ${cure === '' ? null : html`<details><summary>What to do<span class="unseen"> about ${code}</span></summary><p class="cure">${cure}</p></details>`}
              </li>`,
            )}
          </ul>`
    }
    ${sorted.length > told.length ? html`<p class="muted">And ${sorted.length - told.length} more: <code>postern doctor</code>.</p>` : null}
    ${asOfMarkup(asOf)}`;
  return panel('doctor', title, body);
}
