import { type Element, html } from '../../markup/markup.ts';

/** Leads back to the form that was filled in when the session ended, `kept`, once somebody is signed in again. */
export function resumeView(kept: string): Element {
  return html`<form method="post" action="/console/resume" data-progress="Going on…">
    <input type="hidden" name="kept" value=${kept} />
    <p>What you had filled in is kept on this page. Sign in in another tab, and go on here.</p>
    <button>Go on with what I filled in</button>
  </form>`;
}
