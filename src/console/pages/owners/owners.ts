import { html, type Markup, path } from '../../markup/markup.ts';
import { Refusal } from '../../refusal.ts';
import type { Page, Redirect, View, Visit } from '../../session/visit.ts';
import { askToSuspend, saveOwner, switchOwner } from './owner-change.ts';
import { valuesOf } from './owner-fields.ts';
import { countKeys } from './owner-figures.ts';
import { mayPut, ownerListView } from './owner-list.ts';
import { ownerView } from './owner-page.ts';
import { findOwner, ownerLike } from './owner-search.ts';

/** Whose keys there are, on which plan, and until when. */
export const ownerPages: readonly Page[] = [
  { path: '/owners', get: (visit) => ownerListView(visit), post: openOwner },
  { path: '/owners/:id', get: showOwner, post: saveOwner },
  {
    path: '/owners/:id/suspend',
    isForWriters: true,
    get: askToSuspend,
    post: (visit) => switchOwner(visit, true),
  },
  { path: '/owners/:id/resume', post: (visit) => switchOwner(visit, false) },
];

/** A path of dots alone would lead elsewhere. One that nobody has put, and no key names, is asked about first. */
async function openOwner(visit: Visit): Promise<View | Redirect> {
  const id = visit.form.text('id');
  if (id === '' || /^\.{1,2}$/.test(id)) {
    return ownerListView(visit, [
      { field: 'id', description: id === '' ? 'is required' : 'cannot be opened here' },
    ]);
  }
  const isKnown = (await findOwner(visit.api, id)) !== null || (await countKeys(visit.api, id)) > 0;
  if (isKnown) return { redirect: path(['owners', id]) };
  return {
    title: `Create the owner “${id}”?`,
    trail: { href: '/console/owners', name: 'Owners' },
    main: html`<p>There is no owner by this id, and no API key names it.</p>
      ${likely(await ownerLike(visit.api, id))}
      <p class="actions">
        <a class="button primary" href=${path(['owners', id])}>Create “${id}”</a> <a href="/console/owners">Cancel</a>
      </p>`,
  };
}

function likely(id: string | null): Markup {
  if (id === null) return null;
  return html`<p class="note">Did you mean <a href=${path(['owners', id])}>${id}</a>?</p>`;
}

async function showOwner(visit: Visit): Promise<View> {
  const owner = await findOwner(visit.api, visit.id);
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
