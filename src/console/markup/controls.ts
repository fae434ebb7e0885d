import type { Fault } from '../refusal.ts';
import { type Element, html, type Markup } from './markup.ts';

/** A form that changes something. `progress` is told while the answer is waited for. */
export function post(action: string, token: string, controls: Markup, progress?: string): Element {
  return html`<form method="post" action=${action} data-progress=${progress}>
    <input type="hidden" name="token" value=${token} />${controls}
  </form>`;
}

/** One field of a form, with its label, what to know of it, and what is wrong with it. */
export interface Field {
  readonly name: string;
  readonly label: string;
  readonly value: string;
  readonly hint?: string;
  /** Of the form; those of this field, and of parts of it, are shown beside it. */
  readonly faults: readonly Fault[];
  /** Further names of it in faults. */
  readonly also?: readonly string[];
}

/** Makes the fields of one form, by what they hold and what is wrong with them. */
export function fieldsOf(value: (name: string) => string, faults: readonly Fault[]) {
  return (name: string, label: string, hint = '') => ({ name, label, hint, value: value(name), faults });
}

type Attributes = Readonly<Record<string, string | boolean | number | undefined>>;

/** A line of text. */
export function textField(field: Field, more: Attributes = {}): Element {
  return framed(field, (shared) => html`<input ...${shared} value=${field.value} ...${more} />`);
}

/** Several lines of text. */
export function areaField(field: Field, more: Attributes = {}): Element {
  return framed(
    field,
    (shared) => html`<textarea rows="3" ...${shared} ...${more}>${field.value}</textarea>`,
  );
}

export interface Option {
  readonly value: string;
  readonly text: string;
  readonly data?: Attributes;
  /** Under which heading it is offered; none for one that stands before all groups. */
  readonly group?: string;
}

/** One of several. */
export function selectField(field: Field, options: readonly Option[], more: Attributes = {}): Element {
  const offered = ({ value, text, data }: Option) =>
    html`<option value=${value} selected=${value === field.value} ...${data}>${text}</option>`;
  const groups = [...new Set(options.flatMap(({ group }) => group ?? []))];
  return framed(
    field,
    (shared) => html`<select ...${shared} ...${more}>
      ${options.filter(({ group }) => group === undefined).map(offered)}
      ${groups.map(
        (name) =>
          html`<optgroup label=${name}>${options.filter(({ group }) => group === name).map(offered)}</optgroup>`,
      )}
    </select>`,
  );
}

/** Fields that forms call by another name than the API's, and where another field shows them. */
const labels: Readonly<Record<string, string>> = {
  ...{ ip_allowlist: 'Allowed addresses', principals: 'Allowed callers', external_id: 'Your id' },
  ...{ expires_in: 'Expiration', expires_on: 'Expiration date', expires_at: 'Expiration date' },
  ...{ keys_max: 'Keys at most', rate_limits: 'Limits', grace_period: 'The old key works for' },
};
const shownBy: Readonly<Record<string, string>> = { expires_at: 'expires_on', rate_limits: 'limit_units_0' };

/** The error above a form of which fields are at fault: all of them, each a link to its field where that is shown. */
export function faultSummary(faults: readonly Fault[], shown: readonly string[]): Markup {
  if (faults.length === 0) return null;
  const told = faults.map((fault) => {
    const { name, label } = placeOf(fault);
    const words = `${label}: ${faultText(fault)}`;
    const isShown = shown.includes(fault.field.split('.')[0] ?? '');
    return html`<li>${isShown ? html`<a href=${`#${name}`}>${words}</a>` : words}</li>`;
  });
  return html`<div class="alert" role="alert">
    <p>Nothing was changed: see what is marked below, and send it again.</p>
    <ul>${told}</ul>
  </div>`;
}

/** The id of the field that shows what a fault is about, and what people call it. */
function placeOf({ field }: Fault): { readonly name: string; readonly label: string } {
  const [first = '', at = '', member = ''] = field.split('.');
  const spaced = first.replaceAll('_', ' ');
  const label = labels[first] ?? spaced.charAt(0).toUpperCase() + spaced.slice(1);
  if (first !== 'rate_limits' || !/^[0-9]+$/.test(at)) return { name: shownBy[first] ?? first, label };
  return { name: `limit_${limitMembers[member] ?? 'per'}_${at}`, label };
}

/** What the fields of a row of limits are called, by the API's members. */
export const limitMembers: Readonly<Record<string, string>> = {
  ...{ name: 'name', limit: 'units', shared_by: 'shared_by' },
};

function framed(field: Field, control: (shared: Attributes) => Element): Element {
  const { name, label, hint, faults, also = [] } = field;
  const own = faults.filter((fault) => [name, ...also].includes(fault.field.split('.')[0] ?? ''));
  const isFirst = own.length > 0 && own.includes(faults[0] as Fault);
  const described = [hint && `${name}-hint`, `${name}-error`].filter(Boolean).join(' ');
  return html`<div class="field">
    <label for=${name}>${label}</label>
    ${hint ? html`<p class="hint" id=${`${name}-hint`}>${hint}</p>` : null}
    ${control({
      ...{ id: name, name, 'aria-describedby': described },
      ...{ 'aria-invalid': own.length > 0 ? 'true' : undefined, autofocus: isFirst },
    })}
    <p class="error" id=${`${name}-error`}>${own.map(faultText).join('; ')}</p>
  </div>`;
}

/** Of a list it says which entry is meant, counted from 1. */
export function faultText({ field, description }: Fault): string {
  const [, part] = field.split('.');
  if (part === undefined) return description;
  return /^[0-9]+$/.test(part) ? `Entry ${Number(part) + 1} ${description}` : `${part} ${description}`;
}
