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
}

/** One of several. */
export function selectField(field: Field, options: readonly Option[], more: Attributes = {}): Element {
  return framed(
    field,
    (shared) => html`<select ...${shared} ...${more}>
      ${options.map(
        ({ value, text, data }) =>
          html`<option value=${value} selected=${value === field.value} ...${data}>${text}</option>`,
      )}
    </select>`,
  );
}

/** The error above a form of which fields are at fault, and what is wrong with fields that it does not show. */
export function faultSummary(faults: readonly Fault[], shown: readonly string[]): Markup {
  if (faults.length === 0) return null;
  const others = faults.filter(({ field }) => !shown.includes(field.split('.')[0] ?? ''));
  return html`<div class="alert" role="alert">
    <p>Nothing was changed: see what is marked below, and send it again.</p>
    ${others.map(({ field, description }) => html`<p>${field}: ${description}</p>`)}
  </div>`;
}

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
