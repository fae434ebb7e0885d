import type { Owner } from '../../api-answers.ts';
import { faultSummary, fieldsOf, post, textField } from '../../markup/controls.ts';
import { type Element, html, type Markup, path, stateMark, timeMarkup } from '../../markup/markup.ts';
import { grouped } from '../../markup/parts.ts';
import type { Fault } from '../../refusal.ts';
import type { View, Visit } from '../../session/visit.ts';
import { describingControls, describingFields, describingRows } from './owner-fields.ts';
import { countKeys, type Use, weekOfUse } from './owner-figures.ts';
import { mayPut, stateOf } from './owner-list.ts';

const shownFields = ['id', 'plan', 'active_until', ...describingFields];

export interface OwnerForm {
  readonly value: (name: string) => string;
  readonly isSuspended: boolean;
  /** Empty for an owner that nobody had put. */
  readonly etag: string;
  readonly faults: readonly Fault[];
}

/** One owner: what holds for its keys, how many there are and how they were used; and a form that changes it. */
export async function ownerView(visit: Visit, owner: Owner | null, form: OwnerForm): Promise<View> {
  const { id, api, may } = visit;
  const [keys, working, use] = await Promise.all([
    may('ListKeys') ? countKeys(api, id) : null,
    may('ListKeys') ? countKeys(api, id, 'active') : null,
    may('GetKeyUsage') ? weekOfUse(visit, id) : null,
  ]);
  const isNew = owner === null;
  return {
    title: `Owner ${id}`,
    trail: { href: '/console/owners', name: 'Owners' },
    actions: owner !== null && mayPut(visit) ? switchControl(visit, owner) : null,
    status: form.faults.length > 0 ? 400 : 200,
    main: html`${isNew ? html`<p class="note">Nobody has put this owner yet. Its keys, if any, are those of an active one. It is created when you save it.</p>` : null}
      ${details(id, owner, { keys, working, use: use?.get(id) ?? (use === null ? null : { allowed: 0, denied: 0 }) })}
      ${mayPut(visit) ? html`<section aria-labelledby="edit"><h2 id="edit">${isNew ? 'Create' : 'Edit'}</h2>${ownerForm(visit, form, working ?? 0)}</section>` : null}`,
  };
}

interface Figures {
  readonly keys: number | null;
  /** Of them, those that are active. */
  readonly working: number | null;
  readonly use: Use | null;
}

function details(id: string, owner: Owner | null, { keys, working, use }: Figures): Element {
  const keysRow =
    keys === null
      ? null
      : html`<div><dt>API keys</dt><dd><a href=${path(['keys'], { owner: id })}>${grouped(keys)}, ${grouped(working ?? 0)} active<span class="unseen">: API keys of this owner</span></a></dd></div>`;
  const useRow =
    use === null
      ? null
      : html`<div><dt>Last 7 days</dt><dd>${grouped(use.allowed)} allowed, ${grouped(use.denied)} denied</dd></div>`;
  return html`<dl>
    ${
      owner === null
        ? null
        : html`<div><dt>State</dt><dd>${stateMark(stateOf(owner))}</dd></div>
            <div><dt>Plan</dt><dd>${owner.plan ?? 'None'}</dd></div>
            <div><dt>Active until</dt><dd>${timeMarkup(owner.active_until, 'No end')}</dd></div>`
    }
    ${keysRow} ${useRow}
    ${owner === null ? null : html`${describingRows(owner)}<div><dt>Changed</dt><dd>${timeMarkup(owner.updated_at)}</dd></div>`}
  </dl>`;
}

/** What takes something away asks first. */
function switchControl({ id, token }: Visit, { suspended }: Owner): Markup {
  if (!suspended)
    return html`<a class="button danger" href=${path(['owners', id, 'suspend'])}>Suspend owner</a>`;
  const button = html`<button class="quiet">Resume owner</button>`;
  return post(
    path(['owners', id, 'resume']),
    token,
    button,
    'Saving, and waiting for every replica to know…',
  );
}

function ownerForm(
  { id, token, terms }: Visit,
  { value, isSuspended, etag, faults }: OwnerForm,
  working: number,
): Element {
  const field = fieldsOf(value, faults);
  const plans = [...new Set(terms.schemes.flatMap((scheme) => scheme.plans))];
  const whom =
    working === 0
      ? 'its keys do'
      : working === 1
        ? 'its 1 active key does'
        : `its ${grouped(working)} active keys do`;
  return post(
    path(['owners', id]),
    token,
    html`${faultSummary(faults, shownFields)}
      <input type="hidden" name="etag" value=${etag} />
      ${textField(field('plan', 'Plan', 'Of its keys that have none of their own.'), {
        ...{ maxlength: 64, list: 'plans', autocomplete: 'off' },
      })}
      <datalist id="plans">${plans.map((plan) => html`<option value=${plan}></option>`)}</datalist>
      ${textField(
        field('active_until', 'Active until (UTC)', 'Empty for no end. Its keys answer 402 from then on.'),
        { type: 'datetime-local', step: 1 },
      )}
      ${describingControls(field)}
      <div class="field check">
        <input type="checkbox" id="suspended" name="suspended" value="yes" checked=${isSuspended} />
        <label for="suspended">Suspended: ${whom} not work, whatever the date says</label>
      </div>
      <div class="actions"><button>Save owner</button></div>`,
    'Saving, and waiting for every replica to know…',
  );
}
