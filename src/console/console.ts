/**
 * Room `console/`: The pages under /console. Here: sessions, pages, markup; all that they show and change goes
 * through REST. Not here: data of its own.
 */

import cookie from '@fastify/cookie';
import formbody from '@fastify/formbody';
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import type { Identity } from '../admin/identity.ts';
import type { Tickets } from '../admin/people/tickets.ts';
import { addressCheckPage } from './address-check.ts';
import { addAssets } from './markup/assets.ts';
import { formBytesMax } from './markup/form.ts';
import { document } from './markup/layout.ts';
import { html } from './markup/markup.ts';
import type { Surroundings } from './markup/surroundings.ts';
import { addPages, pageOfForm } from './page-routes.ts';
import { activityPage, formerAuditPage } from './pages/activity/activity.ts';
import { errorView, refusalOf } from './pages/error-page.ts';
import { keyChangePages } from './pages/key/key-change.ts';
import { keyDetailPage } from './pages/key/key-detail.ts';
import { keyEditPage } from './pages/key/key-edit.ts';
import { keyRequestsPage } from './pages/key/key-requests.ts';
import { keyRotatePage } from './pages/key/key-rotate.ts';
import { keyBulkPages } from './pages/keys/key-bulk.ts';
import { keyListPage } from './pages/keys/key-list.ts';
import { keyNewPage } from './pages/keys/key-new.ts';
import { leaksPage } from './pages/leaks/leaks.ts';
import { ownerPages } from './pages/owners/owners.ts';
import { requestsPage } from './pages/requests/requests.ts';
import { rolePages } from './pages/roles/roles.ts';
import { usagePages } from './pages/usage/usage.ts';
import { createRecollection } from './recollection.ts';
import { Refusal } from './refusal.ts';
import { methodRefusal, type Show, type SignIn } from './routing.ts';
import { createAccess } from './session/access.ts';
import { createFlashes } from './session/flash.ts';
import { createKeptForms } from './session/kept-forms.ts';
import type { Oidc } from './session/oidc.ts';
import { createOidcAttempts } from './session/oidc-attempts.ts';
import { addOidc } from './session/oidc-routes.ts';
import { isFromHere } from './session/origin.ts';
import type { Portal } from './session/portal.ts';
import { addPortal } from './session/portal-routes.ts';
import { createSessions, type SessionOptions } from './session/session.ts';
import { addSignIn } from './session/sign-in-routes.ts';
import type { Page, View } from './session/visit.ts';

/** The part of a pino logger that is used here. */
export interface ConsoleLog {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface ConsoleDependencies {
  readonly signIn: SignIn;
  readonly portal: Portal;
  /** Null where no provider signs people in. */
  readonly oidc: Oidc | null;
  /** What REST knows those by who have no admin key. */
  readonly tickets: Pick<Tickets<Identity>, 'issue'>;
  readonly log: ConsoleLog;
  /** Unix milliseconds. */
  readonly now: () => number;
}

export interface ConsoleOptions extends SessionOptions {
  /** Whether browsers reach it by TLS, so that they are to send the cookie over nothing else. */
  readonly isSecure: boolean;
  /** Whether people may sign in with an admin key. */
  readonly takesAdminKeys: boolean;
  /** The environment that is served. */
  readonly environment: string;
}

const pages: readonly Page[] = [
  keyListPage,
  keyNewPage,
  ...keyBulkPages,
  keyDetailPage,
  keyRequestsPage,
  keyEditPage,
  keyRotatePage,
  ...keyChangePages,
  ...ownerPages,
  ...rolePages,
  requestsPage,
  ...usagePages,
  activityPage,
  leaksPage,
  formerAuditPage,
  addressCheckPage,
];

const standingHeaders = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  'X-Frame-Options': 'DENY',
  // With `no-referrer` browsers would send `Origin: null` with the console's own forms.
  'Referrer-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
};

/**
 * The pages under `/console`, for the HTTP listener. They keep nothing: all they show and change goes through the REST
 * API of the same process, by the admin key of who is signed in.
 */
export function createConsole(dependencies: ConsoleDependencies, options: ConsoleOptions) {
  const plugin: FastifyPluginAsync = async (app) => {
    app.removeAllContentTypeParsers();
    await app.register(cookie);
    await app.register(formbody, { bodyLimit: formBytesMax });
    const sessions = createSessions(dependencies.now, options);
    const { now, signIn, portal, tickets, oidc } = dependencies;
    const access = createAccess(app, { sessions, tickets, portal, oidc }, options);
    // Before any session is begun: what another site brings about changes no cookie.
    app.addHook('onRequest', async (request, reply) => {
      reply.headers(standingHeaders);
      if (!app.supportedMethods.includes(request.method)) throw methodOfNoPage(reply);
      if (request.method === 'POST' && !isFromHere(request.headers)) throw foreignForm();
      if (request.method === 'GET' && access.isLedHere(request)) return show(request, reply, askAgainView);
    });
    const assets = addAssets(app, options.environment);
    const show = createShow(assets, options);
    const ways = { provider: oidc?.provider ?? null, takesAdminKeys: options.takesAdminKeys };
    const once = { flashes: createFlashes(now, options), keptForms: createKeptForms(now, options) };
    const recollection = createRecollection(now);
    const shared = { signIn, portal, oidc, ways, recollection };
    const routing = { access, show, now, tokenOf: sessions.token, ...shared, ...once };
    addSignIn(app, routing, addPages(app, pages, routing));
    addPortal(app, routing);
    if (oidc !== null) addOidc(app, routing, { oidc, attempts: createOidcAttempts(now, options) });
    const failed = createFailed(show, dependencies.log);
    app.setErrorHandler((error, request, reply) => failed(error, request, reply));
    app.setNotFoundHandler(async (request, reply) => {
      const known = await access.enterKnown(request, reply);
      if (known?.entrance == null) return failed(nothingHere(), request, reply);
      const around = { entrance: known.entrance, token: sessions.token(known.session) };
      return show(request, reply, errorView(nothingHere(), false), around);
    });
  };
  return { path: '/console', plugin };
}

function createShow(assets: Surroundings['assets'], { environment }: ConsoleOptions): Show {
  return (request, reply, view, around) => {
    if ('redirect' in view) return reply.redirect(view.redirect, 303);
    if ('json' in view) return reply.send(view.json);
    if ('csv' in view) {
      reply.type('text/csv; charset=utf-8; header=present');
      return reply.header('content-disposition', `attachment; filename="${view.name}"`).send(view.csv);
    }
    const surroundings = {
      ...{ assets, terms: around?.entrance.terms ?? null, path: request.url },
      ...{ host: request.host, environment },
      ...{ token: around?.token ?? '', canSignOut: around?.entrance.isByHeader === false },
      ...{ returnUrl: around?.entrance.returnUrl ?? null, name: around?.entrance.name ?? null },
      flash: around?.flash ?? null,
    };
    const posted = request.method === 'POST' ? { shownAs: pageOfForm(request.url) } : {};
    reply.code(view.status ?? 200).type('text/html; charset=utf-8');
    return reply.send(document({ ...posted, ...view }, surroundings));
  };
}

function createFailed(show: Show, log: ConsoleLog) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const route = request.is404 ? null : (request.routeOptions.url ?? null);
    const { status } = refusalOf(error);
    if (status === 500) log.error({ err: error, route }, 'a page broke');
    return show(request, reply, errorView(error, request.method === 'POST'));
  };
}

const askAgainView: View = {
  title: 'One moment',
  main: html`<p><a href="">Go on</a></p>`,
  asksAgain: true,
};

/** A method that no page takes, so that none has a route for it, as PROPFIND. */
function methodOfNoPage(reply: FastifyReply): Refusal {
  reply.header('Allow', 'GET, HEAD, POST');
  return methodRefusal();
}

function foreignForm(): Refusal {
  return new Refusal(403, 'FOREIGN_FORM', 'This form was sent by another site, and nothing was done.');
}

function nothingHere(): Refusal {
  return new Refusal(404, 'PAGE_NOT_FOUND', 'There is no such page.');
}
