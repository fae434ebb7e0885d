import { mayCall } from '../../admin/operation-permissions.ts';
import type { Terms } from '../../admin/terms-operations.ts';
import { returnLink } from '../pages/entrance/portal.ts';
import { sectionsFor } from '../sections.ts';
import type { View } from '../session/visit.ts';
import { post } from './controls.ts';
import { html, type Markup, render } from './markup.ts';

/** What is around a page's own part. */
export interface Surroundings {
  /** The paths of the files that pages load. */
  readonly assets: { readonly style: string; readonly script: string; readonly icon: string };
  /** Who is signed in; null for nobody. */
  readonly terms: Terms | null;
  /** What they are called by; null for their actor. */
  readonly name: string | null;
  readonly token: string;
  /** The path of the page, which tells what of the navigation it is in. */
  readonly path: string;
  /** Whether they can sign out: not where something in front signs them in. */
  readonly canSignOut: boolean;
  /** Where a link leads back to; null for none. */
  readonly returnUrl: string | null;
}

/** The whole document. */
export function document(view: View, surroundings: Surroundings): string {
  const { assets, terms } = surroundings;
  const page = html`<html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" />
      <meta name="robots" content="noindex" />
      ${view.asksAgain ? html`<meta http-equiv="refresh" content="0" />` : null}
      <title>${view.title} · Postern</title>
      <link rel="icon" href=${assets.icon} type="image/svg+xml" />
      <link rel="stylesheet" href=${assets.style} />
      <script type="module" src=${assets.script}></script>
    </head>
    <body>
      <a class="skip" href="#main">Skip to content</a>
      ${terms === null ? null : header(terms, surroundings)}
      <main id="main" tabindex="-1" data-shown-as=${view.shownAs}>
        <h1>${view.title}</h1>
        ${view.main}
      </main>
      <p class="unseen" id="status" role="status"></p>
    </body>
  </html>`;
  return `<!doctype html>${render(page)}`;
}

/** A portal session is known to nobody by its id. */
function nameOf({ actor, owner }: Terms, name: string | null): string {
  if (owner === null) return name ?? actor;
  return actor.startsWith('portal:') ? owner : `${name ?? actor}, owner ${owner}`;
}

function header(terms: Terms, surroundings: Surroundings): Markup {
  const { permissions } = terms;
  const { path, name: called, token, canSignOut, returnUrl } = surroundings;
  const mayWrite = mayCall(permissions, 'CreateKey');
  return html`<header>
    <a class="brand" href="/console">Postern</a>
    <nav aria-labelledby="settings">
      <span id="settings">Settings</span>
      <ul>
        ${sectionsFor(terms).map(
          ({ href, name }) => html`<li>
            <a href=${href} aria-current=${path.startsWith(href) ? 'page' : undefined}>${name}</a>
          </li>`,
        )}
      </ul>
    </nav>
    <div class="who">
      ${returnUrl === null ? null : returnLink(returnUrl)}
      <span>
        <span class="unseen">Signed in as </span>${nameOf(terms, called)}${mayWrite ? '' : ', read only'}
      </span>
      ${canSignOut ? post('/console/sign-out', token, html`<button class="quiet">Sign out</button>`) : null}
    </div>
  </header>`;
}
