import type { Key, Settlement } from '../../api-answers.ts';
import { createFindings, type Findings, send } from '../../faults.ts';
import { faultSummary, post, textField } from '../../markup/controls.ts';
import { html, path } from '../../markup/markup.ts';
import { type Fault, faultsIn } from '../../refusal.ts';
import type { Page, Redirect, View, Visit } from '../../session/visit.ts';
import { conflictMarkup, differencesIn, isConflict } from '../conflict.ts';
import {
  chosenDate,
  expiryFields,
  labelsIn,
  labelsText,
  laterEnds,
  requireFuture,
  requirePlan,
  sharedFields,
  shownFields,
  type Value,
  valueIn,
} from '../keys/key-fields.ts';
import { type LimitRow, limitFields, limitRowsIn, limitRowsOf, limitsIn } from '../keys/limit-fields.ts';
import { revokedView } from './ended-view.ts';
import { keyOf } from './key-of.ts';
import { ownKeyWarning } from './own-key.ts';

/** Changing what may be changed of a key. */
export const keyEditPage: Page = {
  path: '/keys/:id/edit',
  isForWriters: true,
  async get(visit) {
    const key = await keyOf(visit);
    const over = revokedView(key);
    if (over !== null) return over;
    return formView(visit, key, {
      value: valuesOf(key),
      limits: limitRowsOf(key),
      faults: [],
      etag: key.etag,
    });
  },
  post: editKey,
};

async function editKey(visit: Visit): Promise<View | Redirect> {
  const { api, form } = visit;
  const key = await keyOf(visit);
  const over = revokedView(key);
  if (over !== null) return { ...over, status: 409 };
  try {
    const findings = createFindings();
    const call = {
      method: 'PATCH',
      path: `api-keys/${key.id}`,
      body: patchOf(visit, key, findings),
    } as const;
    const { data } = await send<{ data: Key & Partial<Settlement> }>(api, call, findings, shownFields);
    const { effective_at, unconfirmed_replicas } = data;
    const isNarrowed = effective_at !== undefined && unconfirmed_replicas !== undefined;
    const settled = isNarrowed ? { settled: { effective_at, unconfirmed_replicas } } : {};
    return { redirect: path(['keys', key.id]), flash: { text: `“${data.name}” is saved.`, ...settled } };
  } catch (error) {
    if (isConflict(error)) return conflictView(visit, await keyOf(visit));
    const shown = { value: valueIn(form), limits: limitRowsIn(form), etag: form.text('etag') };
    return formView(visit, key, { ...shown, faults: faultsIn(error) });
  }
}

/** The etag is that of the key as the form showed it: what somebody else changed since is not overwritten. */
function patchOf({ form, terms, now }: Visit, key: Key, { read }: Findings): object {
  const expires_at = read(() => chosenDate(form), null);
  read(() => requireFuture(expires_at, now), undefined);
  if (form.text('plan') !== (key.plan ?? '')) read(() => requirePlan(form, terms, key.scheme), undefined);
  const choice = form.text('expires_in');
  return {
    name: form.text('name'),
    permissions: form.list('permissions'),
    roles: form.list('roles'),
    ip_allowlist: form.list('ip_allowlist'),
    principals: form.list('principals'),
    plan: form.text('plan') || null,
    ...limitsIn(form),
    external_id: form.text('external_id') || null,
    labels: read(() => labelsIn(form), {}),
    ...(choice === 'never' && { expires_at: null }),
    ...(expires_at !== null && { expires_at }),
    etag: form.text('etag'),
  };
}

const labelsOfFields = {
  ...{ name: 'Name', permissions: 'Permissions', roles: 'Roles', ip_allowlist: 'Allowed addresses' },
  ...{
    principals: 'Allowed callers',
    plan: 'Plan',
    external_id: 'Your id',
    labels: 'Labels',
    expires: 'Expiration',
  },
  limits: 'Limits',
};

/** Both versions; the form keeps what was written, and would put it in the place of what holds now. */
function conflictView(visit: Visit, key: Key): View {
  const { form } = visit;
  const limits = limitRowsIn(form);
  const theirs = (name: string) => {
    if (name === 'expires') return key.expires_at ?? 'never';
    return name === 'limits' ? rowsText(limitRowsOf(key)) : listed(name, valuesOf(key)(name));
  };
  const yours = (name: string) => {
    if (name === 'expires')
      return form.text('expires_in') === '' ? theirs(name) : (chosenEnd(form) ?? 'never');
    if (name === 'limits') return form.has('limit_units_0') ? rowsText(limits) : theirs(name);
    return listed(name, form.text(name));
  };
  const shown = formView(visit, key, { value: valueIn(form), limits, etag: key.etag, faults: [] });
  const differences = differencesIn(labelsOfFields, theirs, yours);
  const both = conflictMarkup(`“${key.name}”`, differences, path(['keys', key.id, 'edit']));
  return { ...shown, status: 409, main: html`${both} ${shown.main}` };
}

/** However the entries of a list are parted, they are the same. */
function listed(name: string, text: string): string {
  return /^(?:permissions|roles|ip_allowlist|principals)$/.test(name)
    ? text.split(/[\s,]+/).join('\n')
    : text;
}

function rowsText(rows: readonly LimitRow[]): string {
  return rows
    .map(({ name, limit, per, sharedBy }) => `${name} ${limit} / ${per}, ${sharedBy}`.trim())
    .join('\n');
}

function chosenEnd(form: Visit['form']): string | null {
  try {
    return chosenDate(form);
  } catch {
    return 'a date';
  }
}

function valuesOf(key: Key): Value {
  const values: Readonly<Record<string, string>> = {
    name: key.name,
    permissions: key.permissions.join('\n'),
    roles: key.roles.join('\n'),
    ip_allowlist: key.ip_allowlist.join('\n'),
    principals: key.principals.join('\n'),
    plan: key.plan ?? '',
    external_id: key.external_id ?? '',
    labels: labelsText(key.labels),
  };
  return (name) => values[name] ?? '';
}

/** What stands in the form, and what is wrong with it. */
interface Shown {
  readonly value: Value;
  readonly limits: readonly LimitRow[];
  readonly etag: string;
  readonly faults: readonly Fault[];
}

function formView(visit: Visit, key: Key, { value, limits, etag, faults }: Shown): View {
  const kept = key.expires_at === null ? 'As it is: never' : `As it is: ${key.expires_at}`;
  const fields = html`${faultSummary(faults, shownFields)}
    <input type="hidden" name="etag" value=${etag} />
    ${textField(
      { name: 'name', label: 'Name', value: value('name'), faults },
      { required: true, maxlength: 200, autocomplete: 'off' },
    )}
    ${expiryFields(value, faults, visit.terms, { value: '', text: kept }, ...laterEnds(key.expires_at, visit.now))} ${sharedFields(value, faults, visit.terms)}
    ${visit.terms.owner === null ? limitFields(limits, faults) : null}
    <div class="actions"><button>Save</button> <a href=${path(['keys', key.id])}>Cancel</a></div>`;
  return {
    title: `Edit “${key.name}”`,
    status: faults.length > 0 ? 400 : 200,
    main: html`${ownKeyWarning([key.id], visit.terms, 'What you take away from it here, you may not do yourself from then on.')}
      ${post(path(['keys', key.id, 'edit']), visit.token, fields, 'Saving…')}`,
  };
}
