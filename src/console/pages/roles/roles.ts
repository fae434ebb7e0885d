import type { Page as AnswerPage, Role, Settlement } from '../../api-answers.ts';
import { areaField, faultSummary, fieldsOf, post, textField } from '../../markup/controls.ts';
import { type Element, html, type Markup, path, timeMarkup } from '../../markup/markup.ts';
import { apiQuery, pagerMarkup, placeIn } from '../../markup/pager.ts';
import { emptyState, tags } from '../../markup/parts.ts';
import { tableMarkup } from '../../markup/table.ts';
import { type Fault, faultsIn, Refusal } from '../../refusal.ts';
import type { Page, Redirect, View, Visit } from '../../session/visit.ts';
import { conflictMarkup, differencesIn, isConflict } from '../conflict.ts';
import { settledMarkup } from '../settled.ts';

const pageSize = 50;
const shownFields = ['id', 'description', 'permissions'];

/** Permissions under one name; for admin keys without an owner, as the API has it. */
export const rolePages: readonly Page[] = [
  { path: '/roles', get: listRoles, post: openRole },
  { path: '/roles/:id', get: showRole, post: saveRole },
  { path: '/roles/:id/delete', get: askToDelete, post: deleteRole },
];

async function listRoles(visit: Visit): Promise<View> {
  const place = placeIn(visit.query);
  const { data, next_page_token } = await visit.api.call<AnswerPage<Role>>(
    'GET',
    `roles?${apiQuery({}, place, pageSize)}`,
  );
  return {
    title: 'Roles',
    lead: 'A role gives its permissions to every key that names it.',
    main: html`${visit.canWrite ? opening(visit, []) : null} ${table(data)}
      ${pagerMarkup(['roles'], {}, place, next_page_token)}`,
  };
}

function opening({ token }: Visit, faults: readonly Fault[]): Element {
  return post(
    '/console/roles',
    token,
    html`<div class="filters">
      ${textField(
        { name: 'id', label: 'Role', hint: 'New, or one that there is.', value: '', faults },
        { required: true, maxlength: 128, autocomplete: 'off' },
      )}
      <div class="actions"><button>Open role</button></div>
    </div>`,
  );
}

/** A path of dots alone would lead elsewhere. */
async function openRole(visit: Visit): Promise<View | Redirect> {
  const id = visit.form.text('id');
  if (id !== '' && !/^\.{1,2}$/.test(id)) return { redirect: path(['roles', id]) };
  const faults = [{ field: 'id', description: id === '' ? 'is required' : 'cannot be opened here' }];
  return { title: 'Roles', status: 400, main: opening(visit, faults) };
}

function table(roles: readonly Role[]): Markup {
  if (roles.length === 0)
    return emptyState(
      'There are no roles yet.',
      'Make one, and name it on the keys that are to have its permissions.',
    );
  return tableMarkup({
    caption: 'Roles, by id',
    columns: ['Role', 'Permissions', 'Description', 'Changed'],
    named: 0,
    rows: roles.map((role) => [
      html`<a href=${path(['roles', role.id])}>${role.id}</a>`,
      tags(role.permissions) ?? 'None',
      role.description ?? '–',
      timeMarkup(role.updated_at),
    ]),
  });
}

/** Null for one that there is not. */
async function roleOf({ api, id }: Visit): Promise<Role | null> {
  try {
    return (await api.call<{ data: Role }>('GET', `roles/${encodeURIComponent(id)}`)).data;
  } catch (error) {
    if (error instanceof Refusal && error.reason === 'ROLE_NOT_FOUND') return null;
    throw error;
  }
}

async function showRole(visit: Visit): Promise<View> {
  const role = await roleOf(visit);
  if (role === null && !visit.canWrite) throw noRole();
  const value = (name: string) =>
    name === 'permissions' ? (role?.permissions.join('\n') ?? '') : (role?.description ?? '');
  return roleView(visit, role, { value, etag: role?.etag ?? '', faults: [] });
}

/** The etag is that of the role as the form showed it; none for one that there was not. */
async function saveRole(visit: Visit): Promise<View | Redirect> {
  const { api, id, form } = visit;
  const etag = form.text('etag');
  const role = {
    description: form.text('description') || null,
    permissions: form.list('permissions'),
    ...(etag !== '' && { etag }),
  };
  try {
    const { data } = await api.call<Saved>('PUT', `roles/${encodeURIComponent(id)}`, role);
    const { permissions, effective_at, unconfirmed_replicas } = data;
    const text = `“${id}” is saved, and gives ${permissions.join(', ') || 'nothing'}.`;
    return {
      redirect: path(['roles', id]),
      flash: { text, settled: { effective_at, unconfirmed_replicas } },
    };
  } catch (error) {
    if (isConflict(error)) return conflictView(visit, await roleOf(visit));
    const faults = faultsIn(error);
    return roleView(visit, await roleOf(visit), { value: (name) => form.text(name), etag, faults });
  }
}

async function askToDelete(visit: Visit): Promise<View> {
  const { id, token } = visit;
  const role = await roleOf(visit);
  if (role === null) throw noRole();
  return {
    title: `Delete the role ${id}?`,
    main: html`<p>Keys that name it lose ${role.permissions.join(', ') || 'nothing'}, unless they hold it otherwise.</p>
      ${post(
        path(['roles', id, 'delete']),
        token,
        html`<input type="hidden" name="etag" value=${role.etag} />
          <div class="actions">
            <button class="danger">Delete role</button> <a href=${path(['roles', id])}>Cancel</a>
          </div>`,
        'Deleting, and waiting for every replica to know…',
      )}`,
  };
}

async function deleteRole(visit: Visit): Promise<View> {
  const { api, id, form } = visit;
  const etag = form.text('etag');
  const body = etag === '' ? {} : { etag };
  const { data } = await api.call<Saved>('DELETE', `roles/${encodeURIComponent(id)}`, body);
  return {
    title: 'Role deleted',
    shownAs: path(['roles']),
    main: html`<p>“${id}” gives nothing any more.</p>
      ${settledMarkup(data, visit.terms)}
      <p class="actions"><a class="button" href=${path(['roles'])}>Go to the roles</a></p>`,
  };
}

interface Saved {
  readonly data: Role & Settlement;
}

/** Both versions; the form keeps what was written, and would put it in the place of what holds now. */
function conflictView(visit: Visit, role: Role | null): View {
  const { id, form } = visit;
  const labels = { description: 'Description', permissions: 'Permissions' };
  const listed = (text: string) => text.split(/[\s,]+/).join('\n');
  const theirs = (name: string) =>
    name === 'permissions' ? (role?.permissions.join('\n') ?? '') : (role?.description ?? '');
  const yours = (name: string) => (name === 'permissions' ? listed(form.text(name)) : form.text(name));
  const shown = roleView(visit, role, {
    ...{ value: (name: string) => form.text(name), etag: role?.etag ?? '', faults: [] },
  });
  const both = conflictMarkup(`“${id}”`, differencesIn(labels, theirs, yours), path(['roles', id]));
  return { ...shown, status: 409, main: html`${both} ${shown.main}` };
}

interface RoleForm {
  readonly value: (name: string) => string;
  /** Empty for a role that there was not. */
  readonly etag: string;
  readonly faults: readonly Fault[];
}

function roleView(visit: Visit, role: Role | null, form: RoleForm): View {
  const { id, canWrite } = visit;
  return {
    title: `Role ${id}`,
    status: form.faults.length > 0 ? 400 : 200,
    trail: { href: path(['roles']), name: 'Roles' },
    actions: html`<a class="button" href=${path(['keys'], { role: id })}>API keys with this role</a>
      ${canWrite && role !== null ? html`<a class="button danger" href=${path(['roles', id, 'delete'])}>Delete</a>` : null}`,
    main: html`${role === null ? html`<p>There is no such role yet.</p>` : details(role)}
      ${canWrite ? roleForm(visit, form) : null}`,
  };
}

function details(role: Role): Element {
  return html`<dl>
    <div><dt>Permissions</dt><dd>${tags(role.permissions) ?? 'None'}</dd></div>
    <div><dt>Description</dt><dd>${role.description ?? '–'}</dd></div>
    <div><dt>Changed</dt><dd>${timeMarkup(role.updated_at)}</dd></div>
  </dl>`;
}

function roleForm({ id, token }: Visit, { value, etag, faults }: RoleForm): Element {
  const field = fieldsOf(value, faults);
  return post(
    path(['roles', id]),
    token,
    html`${faultSummary(faults, shownFields)}
      <input type="hidden" name="etag" value=${etag} />
      ${textField(field('description', 'Description', 'What the role is for.'), { maxlength: 256, autocomplete: 'off' })}
      ${areaField(field('permissions', 'Permissions', 'One on each line, such as read:assets; read:* covers all that begin so.'))}
      <div class="actions"><button>Save role</button></div>`,
    'Saving, and waiting for every replica to know…',
  );
}

function noRole(): Refusal {
  return new Refusal(404, 'ROLE_NOT_FOUND', 'There is no role with this id.');
}
