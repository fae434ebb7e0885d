import { mayCall } from '../../admin/operation-permissions.ts';
import type { Terms } from '../../admin/terms-operations.ts';
import { returnLink } from '../pages/entrance/portal.ts';
import { type Section, sectionsFor } from '../sections.ts';
import { post } from './controls.ts';
import { icon } from './icons.ts';
import { type Element, html } from './markup.ts';
import type { Surroundings } from './surroundings.ts';

/** As many sections as a bar at the bottom of a phone has room for, beside a menu with the others. */
const firstSections = 4;

/** What is around every page: where this is, the search, where to go, and who is signed in. */
export function rail(terms: Terms, surroundings: Surroundings): Element {
  const sections = sectionsFor(terms);
  return html`<header class="rail">
    ${place(surroundings)} ${mayCall(terms.permissions, 'ListKeys') ? search(surroundings) : null}
    <nav aria-labelledby="settings">
      <span class="unseen" id="settings">Settings</span>
      <ul>
        ${sections.slice(0, firstSections).map((section) => link(section, surroundings))}
      </ul>
      <button class="more" type="button" popovertarget="others">${icon('more')}More</button>
      <div class="others" id="others" popover>
        <ul>
          ${sections.slice(firstSections).map((section) => link(section, surroundings))}
        </ul>
        ${who(terms, surroundings)}
      </div>
    </nav>
  </header>`;
}

/** The instance by the name that the browser calls it, and the environment that it serves. */
function place({ host, environment, returnUrl }: Surroundings): Element {
  return html`<div class="place">
    <a class="brand" href="/console">
      ${mark}
      <span>
        <span class="product">Postern</span>
        <span class="instance">${host}</span>
      </span>
    </a>
    ${
      returnUrl === null
        ? html`<span class=${`environment ${environment === 'live' ? 'live' : ''}`}><span class="unseen">Environment: </span>${environment}</span>`
        : returnLink(returnUrl)
    }
  </div>`;
}

const mark = html`<svg viewBox="0 0 32 32" aria-hidden="true">
  <rect width="32" height="32" rx="7" fill="#2b56d9" />
  <path d="M10 26V13a6 6 0 0 1 12 0v13" fill="none" stroke="#fff" stroke-width="3" />
  <circle cx="18.5" cy="19" r="1.6" fill="#fff" />
</svg>`;

/** A form that posts, so that a whole key that somebody searches for gets into no address. */
function search({ token }: Surroundings): Element {
  return html`<form class="find" role="search" aria-label="All API keys" method="post" action="/console/keys">
    <input type="hidden" name="token" value=${token} />
    <label class="unseen" for="find">Search API keys</label>
    <input
      id="find"
      type="search"
      name="search"
      maxlength="4096"
      autocomplete="off"
      placeholder="Search keys"
      title="By name, id, last four, owner or label"
      aria-keyshortcuts="/"
    />
    ${icon('search')}<kbd aria-hidden="true">/</kbd>
  </form>`;
}

function link({ href, name, icon: shape, also = [] }: Section, { path }: Surroundings): Element {
  const [asked = ''] = path.split('?');
  const isHere =
    href === '/console'
      ? asked === href || also.includes(asked)
      : [href, ...also].some((known) => asked === known || asked.startsWith(`${known}/`));
  return html`<li>
    <a href=${href} aria-current=${isHere ? 'page' : undefined}>${icon(shape)}<span>${name}</span></a>
  </li>`;
}

function who(terms: Terms, { name, token, canSignOut }: Surroundings): Element {
  const called = [
    ...nameOf(terms, name),
    ...(mayCall(terms.permissions, 'CreateKey') ? [] : ['read only']),
  ].join(', ');
  return html`<div class="who">
    <span title=${called}><span class="unseen">Signed in as </span>${called}</span>
    ${canSignOut ? post('/console/sign-out', token, html`<button class="plain">Sign out</button>`) : null}
  </div>`;
}

/** What somebody is called, and the owner whose keys they see. A portal session is known to nobody by its id. */
function nameOf({ actor, owner }: Terms, name: string | null): readonly string[] {
  if (owner === null) return [name ?? actor];
  return actor.startsWith('portal:') ? [owner] : [name ?? actor, `owner ${owner}`];
}
