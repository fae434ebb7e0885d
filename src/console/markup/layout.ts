import type { View } from '../session/visit.ts';
import { flashMarkup } from './flash.ts';
import { icon } from './icons.ts';
import { type Element, html, render } from './markup.ts';
import { rail } from './rail.ts';
import type { Surroundings } from './surroundings.ts';

/** The whole document. */
export function document(view: View, surroundings: Surroundings): string {
  const { assets, terms, environment, flash, token } = surroundings;
  const isError = view.isError ?? [400, 409].includes(view.status ?? 200);
  const page = html`<html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" />
      <meta name="robots" content="noindex" />
      ${view.asksAgain ? html`<meta http-equiv="refresh" content="0" />` : null}
      <title>${isError ? 'Error: ' : ''}${view.title}${terms === null ? '' : ` · ${environment}`} · Postern</title>
      <link rel="icon" href=${assets.icon} type="image/svg+xml" />
      <link rel="stylesheet" href=${assets.style} />
      <script type="module" src=${assets.script}></script>
    </head>
    <body class=${terms === null ? undefined : 'framed'}>
      <a class="skip" href="#main">Skip to content</a>
      ${terms === null ? null : rail(terms, surroundings)}
      <main id="main" tabindex="-1" data-shown-as=${view.shownAs}>
        ${flash === null || terms === null ? null : flashMarkup(flash, terms, token)} ${head(view)} ${view.main}
      </main>
      <p class="unseen" id="status" role="status"></p>
    </body>
  </html>`;
  return `<!doctype html>${render(page)}`;
}

/** The title, what stands above and under it, and beside it what is done from here. */
function head({ title, trail, lead, total, actions }: View): Element {
  return html`<div class="head">
    <div>
      ${trail === undefined ? null : html`<p class="trail"><a href=${trail.href}>${icon('back')} ${trail.name}</a></p>`}
      <h1>${title}</h1>
      ${total === undefined ? null : html`<span class="total">${total}</span>`}
      ${lead === undefined ? null : html`<p class="lead">${lead}</p>`}
    </div>
    ${actions === undefined || actions === null ? null : html`<div class="actions">${actions}</div>`}
  </div>`;
}
