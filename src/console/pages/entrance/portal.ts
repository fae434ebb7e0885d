import { html, type Markup } from '../../markup/markup.ts';
import type { View } from '../../session/visit.ts';

/** Before a portal session is opened: what follows links by itself, a scanner of mail, presses no button. */
export const openPortalView: View = {
  title: 'API keys',
  main: html`<p>This link opens once.</p>
    <form method="post" action="" data-progress="Opening…"><button>Continue</button></form>`,
};

export const usedPortalView: View = {
  title: 'This link cannot be opened',
  status: 410,
  main: html`<p role="alert">It was opened before, or is too old. Go back to where you found it, and ask for another.</p>`,
};

/** Of a portal session that has ended. */
export function signedOutView(returnUrl: string | null, hasEnded: boolean): View {
  return {
    title: hasEnded ? 'Your session has ended' : 'You are signed out',
    status: hasEnded ? 401 : 200,
    main: html`<p>${hasEnded ? 'Open the console again from where you came.' : 'The session has ended.'}</p>
      ${returnUrl === null ? null : html`<p>${returnLink(returnUrl)}</p>`}`,
  };
}

/** Of who has signed out here; at the OpenID provider they may still be signed in. */
export function signedOutOidcView(provider: string, url: string | null): View {
  return {
    title: 'You are signed out',
    main: html`<p>The session of the console has ended.</p>
      ${url === null ? null : html`<p><a rel="noreferrer" href=${url}>Sign out of ${provider}, too</a></p>`}
      <p><a href="/console">Sign in again</a></p>`,
  };
}

/** Back to where somebody came from. */
export function returnLink(returnUrl: string): Markup {
  return html`<a class="return" rel="noreferrer" href=${returnUrl}>Back to ${new URL(returnUrl).host}</a>`;
}
