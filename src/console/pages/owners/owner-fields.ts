import type { Owner } from '../../api-answers.ts';
import { areaField, type fieldsOf, textField } from '../../markup/controls.ts';
import type { Form } from '../../markup/form.ts';
import { html, type Markup, timeMarkup } from '../../markup/markup.ts';
import { utc } from '../activity/time-range.ts';
import { labelsIn, labelsText, type Value } from '../keys/key-fields.ts';

/** What describes an owner and bounds it, beside its plan and its subscription. */
export const describingFields = ['name', 'contact', 'labels', 'billing_anchor', 'keys_max'];

/** What holds, as fields have it. */
export function valuesOf(owner: Owner | null): Value {
  if (owner === null) return () => '';
  const values: Readonly<Record<string, string>> = {
    ...{ plan: owner.plan ?? '', active_until: localTime(owner.active_until) },
    ...{ name: owner.name ?? '', contact: owner.contact ?? '', labels: labelsText(owner.labels) },
    billing_anchor: localTime(owner.billing_anchor),
    keys_max: owner.keys_max === null ? '' : String(owner.keys_max),
  };
  return (name) => values[name] ?? '';
}

/** UTC as a browser's field has it, without a zone. */
function localTime(iso: string | null): string {
  return iso === null ? '' : iso.replace(/Z$/, '');
}

/** As the API takes them; nothing of a form that did not show them. */
export function descriptionIn(form: Form): object {
  if (!form.has('keys_max')) return {};
  const keysMax = form.text('keys_max');
  return {
    ...{ name: form.text('name') || null, contact: form.text('contact') || null },
    labels: labelsIn(form),
    billing_anchor: utc(form.text('billing_anchor')),
    // What is no number is sent as it is: the API says what it expects.
    keys_max: /^[0-9]+$/.test(keysMax) ? Number(keysMax) : keysMax || null,
  };
}

export function describingControls(field: ReturnType<typeof fieldsOf>): Markup {
  return html`${textField(field('name', 'Name', 'What people call it.'), { maxlength: 200, autocomplete: 'off' })}
  ${textField(field('contact', 'Contact', 'Whom to write to or call.'), { maxlength: 256, autocomplete: 'off' })}
  ${areaField(field('labels', 'Labels', 'For you alone: name=value, one on each line.'))}
  ${textField(
    field(
      'billing_anchor',
      'Billing anchor (UTC)',
      'When periods of limits begin: a month on this day, at this time. Empty for those of the calendar.',
    ),
    { type: 'datetime-local', step: 1 },
  )}
  ${textField(field('keys_max', 'Keys at most', 'Empty for any number that the rules allow.'), {
    ...{ inputmode: 'numeric', autocomplete: 'off' },
  })}`;
}

/** Those that the owner has. */
export function describingRows({ name, contact, labels, billing_anchor, keys_max }: Owner): Markup {
  const rows: readonly (readonly [string, Markup])[] = [
    ['Name', name],
    ['Contact', contact],
    ['Labels', labelsText(labels, ', ') || null],
    ['Billing anchor', billing_anchor === null ? null : timeMarkup(billing_anchor)],
    ['Keys at most', keys_max],
  ];
  return html`${rows.map(([term, value]) =>
    value === null ? null : html`<div><dt>${term}</dt><dd>${value}</dd></div>`,
  )}`;
}
