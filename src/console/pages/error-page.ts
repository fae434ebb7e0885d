import { html, type Markup } from '../markup/markup.ts';
import { Refusal } from '../refusal.ts';
import type { View } from '../session/visit.ts';

/** What to say of a page that cannot be shown, and what to do about it. */
export function errorView(error: unknown, isPost: boolean): View {
  const refusal = refusalOf(error);
  const { status, message } = refusal;
  if (status === 404) {
    return view(status, 'Not found', message, backToKeys);
  }
  if (status === 503) {
    const what = 'The store cannot be reached. Keys that are in use go on working for a while.';
    return view(status, 'The store cannot be reached', what, isPost ? tryAgainBack : tryAgain);
  }
  if (status === 403) return view(status, 'Not allowed', message, backToKeys);
  if (status === 409) return view(status, 'This cannot be done', message, backToKeys);
  if (status === 500) {
    return view(status, 'Something is broken', 'The log of the service says what.', tryAgain);
  }
  return view(status, 'This cannot be done', message, isPost ? tryAgainBack : backToKeys);
}

const backToKeys = html`<a class="button" href="/console/keys">Go to API Keys</a>`;
const tryAgain = html`<a class="button" href="">Try again</a>`;
const tryAgainBack = html`Go back in your browser and send the form again, or
  <a href="/console/keys"> go to API Keys</a>.`;

function view(status: number, title: string, what: string, next: Markup): View {
  return { status, title, main: html`<p role="alert">${what}</p><p>${next}</p>` };
}

/** The error as one that may be told. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const { code, statusCode } = Object(error) as { code?: unknown; statusCode?: unknown };
  const isOfWire = typeof code === 'string' && code.startsWith('FST_ERR_');
  if (isOfWire && statusCode === 413) return new Refusal(413, 'FORM_TOO_LARGE', 'The form is too large.');
  if (isOfWire && statusCode === 415) {
    return new Refusal(
      415,
      'NO_FORM',
      'The console takes forms alone; call the REST API under /admin instead.',
    );
  }
  if (isOfWire && typeof statusCode === 'number' && statusCode < 500) {
    return new Refusal(statusCode, 'MALFORMED_REQUEST', 'This is not a request that can be understood.');
  }
  return new Refusal(500, 'INTERNAL', 'Something is broken.');
}
