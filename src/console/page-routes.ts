import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { mayCall, type OperationName } from '../admin/operation-permissions.ts';
import { emptyForm, type Form } from './markup/form.ts';
import { html } from './markup/markup.ts';
import { refilled } from './markup/refilled.ts';
import { signedOutView } from './pages/entrance/portal.ts';
import { resumeView } from './pages/entrance/resume.ts';
import { signInView } from './pages/entrance/sign-in.ts';
import { errorView, refusalOf } from './pages/error-page.ts';
import { overviewPage } from './pages/overview/overview.ts';
import { Refusal } from './refusal.ts';
import { type Arrivals, type Known, type PageDependencies, refuseOthers } from './routing.ts';
import type { Entered } from './session/access.ts';
import type { KeptForm } from './session/kept-forms.ts';
import { nextIn, signInPath } from './session/next.ts';
import type { Data, Download, Page, Redirect, View, Visit } from './session/visit.ts';

/** Serves the pages; and shows, once somebody is signed in again, the form that they had filled in. */
export function addPages(app: FastifyInstance, pages: readonly Page[], routing: PageDependencies): Arrivals {
  const { access, show, now, tokenOf, flashes, keptForms, ways, recollection } = routing;
  for (const page of pages) {
    const methods = [page.get && 'GET', page.post && 'POST'].filter((method) => method !== undefined);
    if (page.get) app.get(page.path, serve(page, page.get));
    if (page.post) app.post(page.path, serve(page, page.post));
    refuseOthers(app, page.path, methods);
  }
  return {
    resume,
    home: (request, reply, known) =>
      answer(request, reply, known, overviewPage, overviewPage.get, { id: '' }),
  };

  function serve(page: Page, handler: NonNullable<Page['get']>) {
    return async (request: FastifyRequest, reply: FastifyReply) => {
      const isPost = request.method === 'POST';
      const entered = await access.enter(request, reply);
      const { session, entrance } = entered;
      if (entrance === null) return askToSignIn(request, reply, page, entered);
      const { id = '' } = request.params as { id?: string };
      if (!isPost) return answer(request, reply, { session, entrance }, page, handler, { id });
      let form: Form;
      try {
        form = access.formOf(request, session);
      } catch (error) {
        const kept = keptOf(request, page);
        if (!isOfOldForm(error) || kept === null) return failed(request, reply, { session, entrance }, error);
        const note = `${error.message} Look it over, and send it again.`;
        return again(request, reply, { session, entrance }, { ...kept, note, status: 403 });
      }
      return answer(request, reply, { session, entrance }, page, handler, { id, form });
    };
  }

  async function answer(
    request: FastifyRequest,
    reply: FastifyReply,
    known: Known,
    page: Page,
    handler: NonNullable<Page['get']>,
    { id, form = emptyForm }: { readonly id: string; readonly form?: Form },
  ) {
    const { session, entrance } = known;
    try {
      const isPost = request.method === 'POST';
      const query = new URL(request.url, 'http://console').searchParams;
      const visit = { ...visitOf(known), id, query, form };
      if (page.isForWriters && !isPost && !visit.canWrite) throw readOnly();
      const shown = await handler(visit);
      if ('redirect' in shown && shown.flash !== undefined) {
        flashes.tell(reply, session, shown.redirect, shown.flash);
      }
      const flash = isPost || !('main' in shown) ? null : flashes.take(request, reply, session);
      return show(request, reply, shown, { entrance, token: tokenOf(session), flash });
    } catch (error) {
      return failed(request, reply, known, error);
    }
  }

  function visitOf({ session, entrance }: Known): Omit<Visit, 'id' | 'query' | 'form'> {
    const { api, terms } = entrance;
    const may = (operation: OperationName) => mayCall(terms.permissions, operation);
    const { actor, owner, permissions } = terms;
    const recall = recollection.by(JSON.stringify([actor, owner, permissions]), api);
    return { api, recall, terms, canWrite: may('CreateKey'), may, token: tokenOf(session), now: now() };
  }

  function failed(
    request: FastifyRequest,
    reply: FastifyReply,
    { session, entrance }: Known,
    error: unknown,
  ) {
    if (refusalOf(error).status === 500) throw error;
    return show(request, reply, errorView(error, request.method === 'POST'), {
      entrance,
      token: tokenOf(session),
    });
  }

  /** A link leads on to its page after the sign-in; a form is kept in the page that asks for it. */
  function askToSignIn(request: FastifyRequest, reply: FastifyReply, page: Page, entered: Entered) {
    const { session, ended, before } = entered;
    const isPost = request.method === 'POST';
    const form = isPost ? keptOf(request, page) : null;
    const kept = form === null ? '' : (keptForms.keep(form.path, form.form) ?? '');
    if (before?.kind === 'portal') {
      const left = signedOutView(before.returnUrl, true);
      const main = kept === '' ? left.main : html`${left.main} ${resumeView(kept)}`;
      return show(request, reply, { ...left, main });
    }
    const next = nextIn(isPost ? pageOfForm(request.url) : request.url);
    if (!isPost || kept === '') return show(request, reply, { redirect: signInPath(next, ended || isPost) });
    const note =
      'Your session has ended, and nothing was done. What you filled in is kept: sign in, and send it again.';
    return show(request, reply, signInView(tokenOf(session), ways, { status: 401, note, kept }));
  }

  /** What a form sent, where its page may show it again. */
  function keptOf(request: FastifyRequest, page: Page): (KeptForm & { readonly form: Form }) | null {
    if (page.get === undefined || page.isFormSecret) return null;
    try {
      const form = access.sentForm(request);
      return { path: new URL(request.url, 'http://console').pathname, fields: form.fields, form };
    } catch {
      return null;
    }
  }

  async function resume(request: FastifyRequest, reply: FastifyReply, known: Known, sealed: string) {
    const kept = keptForms.open(sealed);
    if (kept === null) {
      const message = 'What was filled in before cannot be shown again: it is too old, or was changed.';
      return failed(request, reply, known, new Refusal(400, 'NO_FORM', message));
    }
    const note = 'You are signed in. Nothing was sent yet: look over what you had filled in, and send it.';
    return again(request, reply, known, { ...kept, note, status: 200 });
  }

  /** The page of a form, as it was filled in. */
  async function again(request: FastifyRequest, reply: FastifyReply, known: Known, kept: Refilled) {
    const found = pageAt(pages, kept.path);
    try {
      if (found?.page.get === undefined) throw new Refusal(404, 'PAGE_NOT_FOUND', 'There is no such page.');
      const visit = { ...visitOf(known), id: found.id, query: new URLSearchParams(), form: emptyForm };
      if (found.page.isForWriters && !visit.canWrite) throw readOnly();
      const shown = filledIn(await found.page.get(visit), kept);
      return show(request, reply, shown, { entrance: known.entrance, token: tokenOf(known.session) });
    } catch (error) {
      return failed(request, reply, known, error);
    }
  }
}

function isOfOldForm(error: unknown): error is Refusal {
  return error instanceof Refusal && error.reason === 'OLD_FORM';
}

/** A form to be shown as it was filled in, with why. */
interface Refilled extends KeptForm {
  readonly note: string;
  readonly status: number;
}

function filledIn(
  shown: View | Redirect | Data | Download,
  { path, fields, note, status }: Refilled,
): View | Redirect | Data | Download {
  if (!('main' in shown)) return shown;
  const main = html`<p class="warning" role="status">${note}</p>
    ${refilled(shown.main, path, fields)}`;
  return { ...shown, main, status, shownAs: path };
}

function pageAt(pages: readonly Page[], path: string): { readonly page: Page; readonly id: string } | null {
  const wanted = path.replace(/^\/console/, '');
  const page =
    pages.find((page) => page.path === wanted) ??
    pages.find((page) => page.path.includes(':id') && patternOf(page).test(wanted));
  if (page === undefined) return null;
  const [, id = ''] = page.path.includes(':id') ? (patternOf(page).exec(wanted) ?? []) : [];
  return { page, id: decoded(id) };
}

function patternOf({ path }: Page): RegExp {
  return new RegExp(`^${path.replace(':id', '([^/]+)')}$`);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}

/** Where the form is that was posted to this path. */
export function pageOfForm(url: string): string {
  return url.replace(/\/(?:disable|enable|suspend|resume|sign-out)$/, '');
}

function readOnly(): Refusal {
  const message = 'You are signed in to read alone. This page changes something, and needs admin:write.';
  return new Refusal(403, 'PERMISSION_DENIED', message);
}
