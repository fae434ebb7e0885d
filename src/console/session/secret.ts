import type { MadeKey } from '../api-answers.ts';
import { html, type Markup, path } from '../markup/markup.ts';
import type { View } from './visit.ts';

/** The one page that shows a secret; of a repeated request, that it was shown. `more` says what else was done. */
export function secretView(made: MadeKey, title: string, more: Markup = null): View {
  const { id, name, key } = made;
  const shown =
    key === null
      ? html`<p class="note">
          “${name}” was made by this form before. Its secret was shown once, then, and cannot be shown again. If
          nobody copied it, revoke the key and create another.
        </p>`
      : html`<p class="warning"><strong>Copy your API key now. It will not be shown again.</strong></p>
          <p class="hint" id="secret-hint">Keep it in a secret manager or an environment variable, not in code.</p>
          <div class="secret">
            <label for="secret">API key for “${name}”</label>
            <textarea
              id="secret"
              rows="2"
              readonly
              autocomplete="off"
              spellcheck=${false}
              aria-describedby="secret-hint"
              data-secret
            >${key}</textarea>
            <button type="button" data-copy="secret" hidden>Copy</button>
          </div>`;
  return {
    title,
    status: key === null ? 200 : 201,
    shownAs: path(['keys', id]),
    main: html`${shown} ${more}
      <p class="actions">
        <a class="button" href=${path(['keys', id])}>Go to this API key</a> <a href="/console/keys">All API keys</a>
      </p>`,
  };
}
