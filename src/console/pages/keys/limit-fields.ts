import { limitsPerListMax, periods } from '../../../keys/limit.ts';
import type { Key, KeyRateLimit } from '../../api-answers.ts';
import { limitMembers, selectField, textField } from '../../markup/controls.ts';
import type { Form } from '../../markup/form.ts';
import { type Element, html, type Markup } from '../../markup/markup.ts';
import type { Fault } from '../../refusal.ts';

/** One limit as it stands in a form. */
export interface LimitRow {
  readonly name: string;
  readonly limit: string;
  /** `60s`, or the name of a period. */
  readonly per: string;
  readonly sharedBy: string;
}

const noRow: LimitRow = { name: '', limit: '', per: '', sharedBy: 'key' };
const sharers = [
  { value: 'key', text: 'Each key alone' },
  { value: 'owner', text: 'All keys of the owner' },
];

/** The rows that were filled in, in their order: those of the API's list. */
export function limitRowsIn(form: Form): readonly LimitRow[] {
  const rows = Array.from({ length: limitsPerListMax }, (_, at) => ({
    ...{ name: form.text(`limit_name_${at}`), limit: form.text(`limit_units_${at}`) },
    ...{ per: form.text(`limit_per_${at}`), sharedBy: form.text(`limit_shared_by_${at}`) },
  }));
  return rows.filter(({ name, limit, per }) => name !== '' || limit !== '' || per !== '');
}

export function limitRowsOf({ rate_limits }: Key): readonly LimitRow[] {
  return rate_limits.map(({ name, limit, window, period, shared_by }) => ({
    ...{ name, limit: String(limit), per: window ?? period ?? '', sharedBy: shared_by },
  }));
}

/** `rate_limits` as the API takes them; nothing of a form that did not show them. */
export function limitsIn(form: Form): { readonly rate_limits?: readonly object[] } {
  if (!form.has('limit_units_0')) return {};
  const rate_limits = limitRowsIn(form).map(({ name, limit, per, sharedBy }) => ({
    ...(name !== '' && { name }),
    // What is no number is sent as it is: the API says what it expects.
    limit: /^[0-9]+$/.test(limit) ? Number(limit) : limit,
    ...perOf(per),
    ...(sharedBy !== '' && { shared_by: sharedBy }),
  }));
  return { rate_limits };
}

function perOf(text: string): object {
  const period = periods.find((name) => name === text.toLowerCase());
  if (period !== undefined) return { period };
  return text === '' ? {} : { window: text };
}

/** A row for each limit, and one for another; the rest of what a key may have behind "More limits". */
export function limitFields(rows: readonly LimitRow[], faults: readonly Fault[]): Element {
  const own = faults.map(faultInRow);
  const all = Array.from({ length: limitsPerListMax }, (_, at) =>
    rowFields(at, rows[at] ?? noRow, rows.length > 1, own),
  );
  const shown = Math.min(all.length, rows.length + 1);
  return html`<fieldset aria-describedby="rate_limits-hint">
    <legend>Limits of this key</legend>
    <p class="hint" id="rate_limits-hint">
      In place of those of its plan. Empty for those of its plan; a row that is emptied goes.
    </p>
    <datalist id="periods">
      ${['1s', '60s', '1h', ...periods].map((per) => html`<option value=${per}></option>`)}
    </datalist>
    ${all.slice(0, shown)}
    ${shown === all.length ? null : html`<details><summary>More limits</summary>${all.slice(shown)}</details>`}
  </fieldset>`;
}

function rowFields(at: number, row: LimitRow, isNamed: boolean, faults: readonly Fault[]): Element {
  const what = `Limit ${at + 1}`;
  const field = (name: string, label: string, value: string) => ({
    ...{ name: `limit_${name}_${at}`, label: `${what}: ${label}`, value, faults },
  });
  return html`<div class="together">
    ${textField(field('name', 'name', row.name), {
      ...{ maxlength: 32, autocomplete: 'off', placeholder: isNamed ? undefined : 'default' },
    })}
    ${textField(field('units', 'units', row.limit), { inputmode: 'numeric', autocomplete: 'off' })}
    ${textField(field('per', 'in each', row.per), {
      ...{ list: 'periods', autocomplete: 'off', placeholder: '60s, day, month, total' },
    })}
    ${selectField(field('shared_by', 'spent by', row.sharedBy), sharers)}
  </div>`;
}

/** A fault in the API's list as one of the field that shows that member. */
function faultInRow(fault: Fault): Fault {
  const [list, at = '0', member = ''] = fault.field.split('.');
  if (list !== 'rate_limits') return fault;
  return { field: `limit_${limitMembers[member] ?? 'per'}_${at}`, description: fault.description };
}

/** The limits of a key itself, for a reader. */
export function limitsText(limits: readonly KeyRateLimit[]): Markup {
  return html`${limits.map((limit, at) => html`${at > 0 ? html`<br />` : ''}${limitText(limit)}`)}`;
}

/** One of them, as in "monthly: 1,000 each month". */
export function limitText(limit: KeyRateLimit): string {
  const shared = limit.shared_by === 'owner' ? ', for all keys of the owner' : '';
  return `${limit.name}: ${limit.limit} ${eachText(limit)}${shared}`;
}

function eachText({ window, period }: KeyRateLimit): string {
  if (period === 'total') return 'in all';
  return window === undefined ? `each ${period}` : `in ${window}`;
}
