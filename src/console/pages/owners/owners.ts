import type { Owner, Settlement } from '../../api-answers.ts';
import { faultSummary, fieldsOf, post, textField } from '../../markup/controls.ts';
import { type Element, html, type Markup, path, stateMark, timeMarkup } from '../../markup/markup.ts';
import { apiQuery, pagerMarkup, placeIn } from '../../markup/pager.ts';
import { tableMarkup } from '../../markup/table.ts';
import { type Fault, faultsIn, Refusal } from '../../refusal.ts';
import type { Flash } from '../../session/flash.ts';
import type { Page, Redirect, View, Visit } from '../../session/visit.ts';
import { utc } from '../activity/time-range.ts';
import { conflictMarkup, differencesIn, isConflict } from '../conflict.ts';
import {
  describingControls,
  describingFields,
  describingRows,
  descriptionIn,
  valuesOf,
} from './owner-fields.ts';

const pageSize = 50;
const shownFields = ['id', 'plan', 'active_until', ...describingFields];

/** Whose keys there are, on which plan, and until when. */
export const ownerPages: readonly Page[] = [
  { path: '/owners', get: listOwners, post: openOwner },
  { path: '/owners/:id', get: showOwner, post: saveOwner },
  { path: '/owners/:id/suspend', post: (visit) => switchOwner(visit, true) },
  { path: '/owners/:id/resume', post: (visit) => switchOwner(visit, false) },
];

async function listOwners(visit: Visit): Promise<View> {
  const place = placeIn(visit.query);
  const { data, next_page_token } = await visit.api.owners(apiQuery({}, place, pageSize));
  return {
    title: 'Owners',
    main: html`${mayPut(visit) ? opening(visit, []) : null} ${table(data)}
    ${pagerMarkup(['owners'], {}, place, next_page_token)}`,
  };
}

/** An admin key that is bound to an owner may not put any. */
function mayPut({ canWrite, terms }: Visit): boolean {
  return canWrite && terms.owner === null;
}

function opening({ token }: Visit, faults: readonly Fault[]): Element {
  return post(
    '/console/owners',
    token,
    html`<div class="filters">
      ${textField(
        { name: 'id', label: 'Owner', hint: 'New, or one that there is.', value: '', faults },
        { required: true, maxlength: 128, autocomplete: 'off' },
      )}
      <div class="actions"><button>Open owner</button></div>
    </div>`,
  );
}

/** A path of dots alone would lead elsewhere. */
async function openOwner(visit: Visit): Promise<View | Redirect> {
  const id = visit.form.text('id');
  if (id !== '' && !/^\.{1,2}$/.test(id)) return { redirect: path(['owners', id]) };
  const faults = [{ field: 'id', description: id === '' ? 'is required' : 'cannot be opened here' }];
  return { title: 'Owners', status: 400, main: opening(visit, faults) };
}

function table(owners: readonly Owner[]): Markup {
  if (owners.length === 0)
    return html`<p>There are no owners yet. A key may name one that is not here: it is active.</p>`;
  return tableMarkup({
    caption: 'Owners, by id',
    columns: ['Owner', 'Name', 'Plan', 'Active until', 'State'],
    named: 0,
    rows: owners.map((owner) => [
      html`<a href=${path(['owners', owner.id])}>${owner.id}</a>`,
      owner.name ?? '–',
      owner.plan ?? 'None',
      timeMarkup(owner.active_until, 'No end'),
      stateMark(stateOf(owner)),
    ]),
  });
}

function stateOf({ suspended, active }: Owner): string {
  if (suspended) return 'suspended';
  return active ? 'active' : 'inactive';
}

/** Null for one that nobody has put. */
async function ownerOf({ api, id }: Visit): Promise<Owner | null> {
  try {
    return (await api.call<{ data: Owner }>('GET', `owners/${encodeURIComponent(id)}`)).data;
  } catch (error) {
    if (error instanceof Refusal && error.reason === 'OWNER_NOT_FOUND') return null;
    throw error;
  }
}

async function showOwner(visit: Visit): Promise<View> {
  const owner = await ownerOf(visit);
  if (owner === null && !mayPut(visit)) {
    throw new Refusal(
      404,
      'OWNER_NOT_FOUND',
      'Nobody has put this owner: its keys, if any, are those of an active one.',
    );
  }
  const value = valuesOf(owner);
  const isSuspended = owner?.suspended ?? false;
  return ownerView(visit, owner, { value, isSuspended, etag: owner?.etag ?? '', faults: [] });
}

/** The etag is that of the owner as the form showed it, none for one that nobody had put: then it is made. */
async function saveOwner(visit: Visit): Promise<View | Redirect> {
  const { api, id, form } = visit;
  const [isSuspended, etag] = [form.text('suspended') !== '', form.text('etag')];
  try {
    const owner = {
      ...{ plan: form.text('plan') || null, active_until: utc(form.text('active_until')) },
      suspended: isSuspended,
      ...descriptionIn(form),
    };
    const address = `owners/${encodeURIComponent(id)}`;
    const { data } = await (etag === ''
      ? api.call<Saved>('PUT', address, owner)
      : api.call<Saved>('PATCH', address, { ...owner, etag }));
    return saved(data, `“${id}” is saved, and ${stateOf(data)}.`);
  } catch (error) {
    if (isConflict(error)) return conflictView(visit, await ownerOf(visit));
    const faults = faultsIn(error);
    const value = (name: string) => form.text(name);
    return ownerView(visit, await ownerOf(visit), { value, isSuspended, etag, faults });
  }
}

/** Leaves plan and subscription as they are, whoever changes them meanwhile. */
async function switchOwner(visit: Visit, suspended: boolean): Promise<Redirect> {
  const { api, id } = visit;
  const { data } = await api.call<Saved>('PATCH', `owners/${encodeURIComponent(id)}`, { suspended });
  const verb = suspended ? 'resume' : 'suspend';
  const undo = { action: path(['owners', id, verb]), label: `Undo: ${verb} it again` };
  return saved(data, `“${id}” is ${stateOf(data)}.`, { undo });
}

interface Saved {
  readonly data: Owner & Partial<Settlement>;
}

/** Back at the owner, with what was done and from when on it holds. */
function saved(
  { id, effective_at, unconfirmed_replicas }: Saved['data'],
  text: string,
  more: Partial<Flash> = {},
): Redirect {
  const isNarrowed = effective_at !== undefined && unconfirmed_replicas !== undefined;
  const settled = isNarrowed ? { settled: { effective_at, unconfirmed_replicas } } : {};
  return { redirect: path(['owners', id]), flash: { text, ...settled, ...more } };
}

const labelsOfFields = {
  ...{
    plan: 'Plan',
    active_until: 'Active until (UTC)',
    suspended: 'Suspended',
    name: 'Name',
    contact: 'Contact',
  },
  ...{ labels: 'Labels', billing_anchor: 'Billing anchor (UTC)', keys_max: 'Keys at most' },
};

/** Both versions; the form keeps what was written, and would put it in the place of what holds now. */
function conflictView(visit: Visit, owner: Owner | null): View {
  const { id, form } = visit;
  const isSuspended = form.text('suspended') !== '';
  const yesOrNo = (is: boolean) => (is ? 'yes' : 'no');
  const theirs = (name: string) =>
    name === 'suspended' ? yesOrNo(owner?.suspended ?? false) : valuesOf(owner)(name);
  const yours = (name: string) => {
    if (name === 'suspended') return yesOrNo(isSuspended);
    return form.has(name) ? form.text(name) : theirs(name);
  };
  const value = (name: string) => form.text(name);
  const shown = ownerView(visit, owner, { value, isSuspended, etag: owner?.etag ?? '', faults: [] });
  const both = conflictMarkup(`“${id}”`, differencesIn(labelsOfFields, theirs, yours), path(['owners', id]));
  return { ...shown, status: 409, main: html`${both} ${shown.main}` };
}

interface OwnerForm {
  readonly value: (name: string) => string;
  readonly isSuspended: boolean;
  /** Empty for an owner that nobody had put. */
  readonly etag: string;
  readonly faults: readonly Fault[];
}

function ownerView(visit: Visit, owner: Owner | null, form: OwnerForm): View {
  const { id } = visit;
  return {
    title: `Owner ${id}`,
    status: form.faults.length > 0 ? 400 : 200,
    main: html`${owner === null ? html`<p>Nobody has put this owner yet. Its keys, if any, are those of an active one.</p>` : details(owner)}
      <p><a href=${path(['keys'], { owner: id })}>API keys of this owner</a></p>
      ${owner !== null && mayPut(visit) ? switchForm(visit, owner) : null}
      ${mayPut(visit) ? ownerForm(visit, form) : null}`,
  };
}

function details(owner: Owner): Element {
  return html`<dl>
    <div><dt>State</dt><dd>${stateMark(stateOf(owner))}</dd></div>
    <div><dt>Plan</dt><dd>${owner.plan ?? 'None'}</dd></div>
    <div><dt>Active until</dt><dd>${timeMarkup(owner.active_until, 'No end')}</dd></div>
    ${describingRows(owner)}
    <div><dt>Changed</dt><dd>${timeMarkup(owner.updated_at)}</dd></div>
  </dl>`;
}

function switchForm({ id, token }: Visit, { suspended }: Owner): Element {
  const [verb, text] = suspended ? ['resume', 'Resume owner'] : ['suspend', 'Suspend owner'];
  return post(
    path(['owners', id, verb]),
    token,
    html`<div class="actions"><button class=${suspended ? '' : 'danger'}>${text}</button></div>`,
    'Saving, and waiting for every replica to know…',
  );
}

function ownerForm({ id, token }: Visit, { value, isSuspended, etag, faults }: OwnerForm): Element {
  const field = fieldsOf(value, faults);
  return post(
    path(['owners', id]),
    token,
    html`${faultSummary(faults, shownFields)}
      <input type="hidden" name="etag" value=${etag} />
      ${textField(field('plan', 'Plan', 'Of its keys that have none of their own.'), { maxlength: 64 })}
      ${textField(
        field('active_until', 'Active until (UTC)', 'Empty for no end. Its keys answer 402 from then on.'),
        {
          ...{ type: 'datetime-local', step: 1 },
        },
      )}
      ${describingControls(field)}
      <div class="field check">
        <input type="checkbox" id="suspended" name="suspended" value="yes" checked=${isSuspended} />
        <label for="suspended">Suspended: its keys do not work, whatever the date says</label>
      </div>
      <div class="actions"><button>Save owner</button></div>`,
    'Saving, and waiting for every replica to know…',
  );
}
