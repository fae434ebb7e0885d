import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Identity } from '../../admin/identity.ts';
import type { Tickets } from '../../admin/people/tickets.ts';
import type { Terms } from '../../admin/terms-operations.ts';
import { isKeyId } from '../../keys/key.ts';
import { type Api, createApi } from '../api.ts';
import { type Form, readForm } from '../markup/form.ts';
import { Refusal } from '../refusal.ts';
import type { Oidc } from './oidc.ts';
import type { Portal } from './portal.ts';
import type { Holder, Session, Sessions } from './session.ts';

/** Who is allowed to see a page. */
export interface Entrance {
  readonly api: Api;
  readonly terms: Terms;
  /** By a header that something in front of the console sent, and not by its own cookie. */
  readonly isByHeader: boolean;
  /** What they are called by; null for their actor. */
  readonly name: string | null;
  /** Where they came from, and are led back to; null for nowhere. */
  readonly returnUrl: string | null;
}

/** Who asked for a page. */
export interface Entered {
  /** A new one where there was none. */
  readonly session: Session;
  /** Null when they are to sign in. */
  readonly entrance: Entrance | null;
  /** Whether they were signed in before, and are not any more. */
  readonly ended: boolean;
  /** Who they were then, where the cookie still says it. */
  readonly before: Holder | null;
}

export interface Access {
  /**
   * Whether another site led a browser here, which then leaves our cookie out as if there were none. Where it is asked
   * again from here the cookie comes along; setting one before would end the session that there may be.
   */
  isLedHere(request: FastifyRequest): boolean;
  enter(request: FastifyRequest, reply: FastifyReply): Promise<Entered>;
  /** {@link Access.enter} by a session that has just begun. */
  enterBy(request: FastifyRequest, reply: FastifyReply, session: Session): Promise<Entered>;
  /** {@link Access.enter} where the request brings a session along; null, and no cookie, where it does not. */
  enterKnown(request: FastifyRequest, reply: FastifyReply): Promise<Entered | null>;
  /** The session of the request, a new one where it has none, and whether one had ended. */
  session(
    request: FastifyRequest,
    reply: FastifyReply,
  ): { readonly session: Session; readonly ended: boolean };
  /** Another session, of them, or of nobody. */
  begin(reply: FastifyReply, holder: Holder | null): Session;
  /** What a form sent, of whatever session. Throws a {@link Refusal} for what is none. */
  sentForm(request: FastifyRequest): Form;
  /** What a form of this session sent. Throws a {@link Refusal} for another session's. */
  formOf(request: FastifyRequest, session: Session): Form;
}

export interface AccessDependencies {
  readonly sessions: Sessions;
  readonly tickets: Pick<Tickets<Identity>, 'issue'>;
  readonly portal: Pick<Portal, 'identity'>;
  /** Null where no provider signs people in. */
  readonly oidc: Pick<Oidc, 'identity'> | null;
}

export interface AccessOptions {
  /** Whether browsers are to send the cookie over TLS alone. */
  readonly isSecure: boolean;
  /** Whether sessions by admin keys go on. */
  readonly takesAdminKeys: boolean;
}

export function createAccess(
  app: FastifyInstance,
  { sessions, tickets, portal, oidc }: AccessDependencies,
  { isSecure, takesAdminKeys }: AccessOptions,
): Access {
  // `__Host-` would take the cookie to every path of the host.
  const cookie = isSecure ? '__Secure-postern_console' : 'postern_console';
  const attributes = { path: '/console', httpOnly: true, sameSite: 'strict', secure: isSecure } as const;

  function session(request: FastifyRequest, reply: FastifyReply) {
    const sealed = request.cookies[cookie];
    const found = sessions.open(sealed);
    if (found === null) return { session: begin(reply, null), ended: sealed !== undefined };
    const used = sessions.touch(found);
    if (used !== found) write(reply, used);
    return { session: used, ended: false };
  }

  function begin(reply: FastifyReply, holder: Holder | null): Session {
    const begun = sessions.start(holder);
    write(reply, begun);
    return begun;
  }

  return {
    isLedHere({ headers, cookies }) {
      const isLed = headers['sec-fetch-site'] === 'cross-site' && headers['sec-fetch-mode'] === 'navigate';
      return isLed && cookies[cookie] === undefined;
    },
    session,
    begin,
    enter,
    enterBy: (request, reply, session) => admit(request, reply, { session, ended: false }),
    enterKnown: async (request, reply) =>
      sessions.open(request.cookies[cookie]) === null ? null : enter(request, reply),
    sentForm: (request) => readForm(request.body),
    formOf(request, session) {
      const form = readForm(request.body);
      if (sessions.isToken(session, form.text('token'))) return form;
      const message = 'This form is of a session that has ended, and nothing was done.';
      throw new Refusal(403, 'OLD_FORM', message);
    },
  };

  async function enter(request: FastifyRequest, reply: FastifyReply): Promise<Entered> {
    return admit(request, reply, session(request, reply));
  }

  async function admit(
    request: FastifyRequest,
    reply: FastifyReply,
    found: { readonly session: Session; readonly ended: boolean },
  ): Promise<Entered> {
    const { holder } = found.session;
    const header = bearerOf(request);
    const authorization = header ?? (holder === null ? null : await authorizationOf(holder, reply));
    if (authorization === null && holder !== null) return endedFor(holder, reply);
    if (authorization === null) return { ...found, entrance: null, before: null };
    const api = createApi(app, request, authorization);
    try {
      const terms = await api.terms();
      const by = header === null ? holder : null;
      const returnUrl = by?.kind === 'portal' ? by.returnUrl : null;
      const name = by?.kind === 'oidc' ? by.email : await nameOf(api, terms);
      const entrance = { api: api.seenBy(terms), terms, returnUrl, name, isByHeader: header !== null };
      return { session: found.session, entrance, ended: false, before: null };
    } catch (error) {
      if (header !== null || holder === null || !isAboutIdentity(error)) throw error;
      return endedFor(holder, reply);
    }
  }

  function endedFor(holder: Holder, reply: FastifyReply): Entered {
    return { session: begin(reply, null), entrance: null, ended: true, before: holder };
  }

  /** What REST knows them by while the request lasts; null once they may not come in any more. */
  async function authorizationOf(holder: Holder, reply: FastifyReply): Promise<string | null> {
    if (holder.kind === 'key') return takesAdminKeys ? `Bearer ${holder.adminKey}` : null;
    const identity =
      holder.kind === 'oidc' ? (oidc?.identity(holder) ?? null) : await portal.identity(holder.id);
    if (identity === null) return null;
    const ticket = tickets.issue(identity);
    reply.raw.once('close', ticket.end);
    return ticket.authorization;
  }

  function write(reply: FastifyReply, session: Session): void {
    reply.setCookie(cookie, sessions.seal(session), attributes);
  }
}

/** That of the admin key, where it has one. A page that can be shown without it is. */
async function nameOf(api: Api, { actor }: Terms): Promise<string | null> {
  if (!isKeyId(actor)) return null;
  return api.key(actor).then(
    ({ name }) => name,
    () => null,
  );
}

function isAboutIdentity(error: unknown): boolean {
  return error instanceof Refusal && (error.status === 401 || error.status === 403);
}

/** A proxy may also send what is its own, as `Basic …`. Of several headers none is taken, as REST takes none. */
function bearerOf({ raw }: FastifyRequest): string | null {
  const values = raw.rawHeaders.filter(
    (_, at, all) => at % 2 === 1 && all[at - 1]?.toLowerCase() === 'authorization',
  );
  const bearers = values.filter((value) => /^bearer /i.test(value));
  return bearers.length === 0 ? null : bearers.join(', ');
}
