import { type Element, html, type Markup } from '../markup/markup.ts';
import { Refusal } from '../refusal.ts';

/** A field that says something else now than what was written into the form. */
export interface Difference {
  readonly label: string;
  readonly theirs: string;
  readonly yours: string;
}

/** Whether somebody else changed what a form shows since it was shown. Throws what is anything else. */
export function isConflict(error: unknown): boolean {
  return error instanceof Refusal && error.reason === 'ETAG_MISMATCH';
}

/** Fields of a form whose values differ from what holds now. */
export function differencesIn(
  labels: Readonly<Record<string, string>>,
  theirs: (name: string) => string,
  yours: (name: string) => string,
): readonly Difference[] {
  return Object.entries(labels).flatMap(([name, label]) => {
    const versions = { label, theirs: plain(theirs(name)), yours: plain(yours(name)) };
    return versions.theirs === versions.yours ? [] : [versions];
  });
}

function plain(text: string): string {
  return text.replaceAll('\r\n', '\n').trim();
}

/** Both versions beside each other, above the form that would write its own over the other. */
export function conflictMarkup(what: string, differences: readonly Difference[], href: string): Element {
  return html`<div class="alert" role="alert">
    <p><strong>Somebody else changed ${what} while you did. Nothing of yours was saved.</strong></p>
    ${differences.length === 0 ? html`<p>It says now what you wanted it to say.</p>` : table(differences)}
    <p>
      Save again to put what stands in the form in the place of what holds now, or
      ${' '}<a href=${href}>begin again with what holds now</a>.
    </p>
  </div>`;
}

function table(differences: readonly Difference[]): Element {
  return html`<div class="scrolling" tabindex="0" role="region" aria-label="Both versions">
    <table class="versions">
      <caption class="unseen">What holds now, and what you wrote</caption>
      <thead>
        <tr>
          <th scope="col">Field</th>
          <th scope="col">Holds now</th>
          <th scope="col">You wrote</th>
        </tr>
      </thead>
      <tbody>
        ${differences.map(
          ({ label, theirs, yours }) => html`<tr>
            <th scope="row">${label}</th>
            <td>${lines(theirs)}</td>
            <td>${lines(yours)}</td>
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function lines(text: string): Markup {
  if (text === '') return 'Nothing';
  return html`${text.split('\n').map((line, at) => html`${at > 0 ? html`<br />` : ''}${line}`)}`;
}
