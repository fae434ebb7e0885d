import type { Owner, Settlement } from '../../api-answers.ts';
import { post } from '../../markup/controls.ts';
import { html, path } from '../../markup/markup.ts';
import { grouped } from '../../markup/parts.ts';
import { faultsIn } from '../../refusal.ts';
import type { Flash } from '../../session/flash.ts';
import type { Redirect, View, Visit } from '../../session/visit.ts';
import { utc } from '../activity/time-range.ts';
import { conflictMarkup, differencesIn, isConflict } from '../conflict.ts';
import { descriptionIn, valuesOf } from './owner-fields.ts';
import { countKeys } from './owner-figures.ts';
import { stateOf } from './owner-list.ts';
import { ownerView } from './owner-page.ts';
import { findOwner } from './owner-search.ts';

/** Says how many keys stop working. */
export async function askToSuspend(visit: Visit): Promise<View | Redirect> {
  const { api, id, token } = visit;
  const owner = await findOwner(api, id);
  if (owner === null || owner.suspended) return { redirect: path(['owners', id]) };
  const keys = await countKeys(api, id, 'active');
  return {
    title: `Suspend “${id}”?`,
    trail: { href: path(['owners', id]), name: id },
    main: html`<p>
        ${keys === 0 ? 'No key of it works today.' : html`<strong>${keys === 1 ? '1 API key stops' : `${grouped(keys)} API keys stop`} working</strong> at once: requests that use ${keys === 1 ? 'it' : 'them'} are answered with 402.`}
        ${' '}Its plan and its end stay as they are, and somebody may resume it.
      </p>
      ${post(
        path(['owners', id, 'suspend']),
        token,
        html`<div class="actions">
          <button class="danger">Suspend owner</button> <a href=${path(['owners', id])}>Cancel</a>
        </div>`,
        'Saving, and waiting for every replica to know…',
      )}`,
  };
}

/** The etag is that of the owner as the form showed it, none for one that nobody had put: then it is made. */
export async function saveOwner(visit: Visit): Promise<View | Redirect> {
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
    return saved(data, `Saved: “${id}” is ${stateOf(data)}.`);
  } catch (error) {
    if (isConflict(error)) return conflictView(visit, await findOwner(api, id));
    const faults = faultsIn(error);
    const value = (name: string) => form.text(name);
    return ownerView(visit, await findOwner(api, id), { value, isSuspended, etag, faults });
  }
}

/** Leaves plan and subscription as they are, whoever changes them meanwhile. */
export async function switchOwner(visit: Visit, suspended: boolean): Promise<Redirect> {
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
async function conflictView(visit: Visit, owner: Owner | null): Promise<View> {
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
  const shown = await ownerView(visit, owner, { value, isSuspended, etag: owner?.etag ?? '', faults: [] });
  const both = conflictMarkup(`“${id}”`, differencesIn(labelsOfFields, theirs, yours), path(['owners', id]));
  return { ...shown, status: 409, main: html`${both} ${shown.main}` };
}
