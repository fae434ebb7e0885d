import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Terms } from '../../admin/terms-operations.ts';
import { type Api, createApi } from '../api.ts';
import { type Form, readForm } from '../markup/form.ts';
import { Refusal } from '../refusal.ts';
import type { Session, Sessions } from './session.ts';

/** Who is allowed to see a page. */
export interface Entrance {
  readonly api: Api;
  readonly terms: Terms;
  /** By a header that something in front of the console sent, and not by its own cookie. */
  readonly isByHeader: boolean;
}

/** Who asked for a page. */
export interface Entered {
  /** A new one where there was none. */
  readonly session: Session;
  /** Null when they are to sign in. */
  readonly entrance: Entrance | null;
  /** Whether they were signed in before, and are not any more. */
  readonly ended: boolean;
}

export interface Access {
  /**
   * Whether another site led a browser here, which then leaves our cookie out as if there were none. Where it is asked
   * again from here the cookie comes along; setting one before would end the session that there may be.
   */
  isLedHere(request: FastifyRequest): boolean;
  enter(request: FastifyRequest, reply: FastifyReply): Promise<Entered>;
  /** The session of the request, a new one where it has none, and whether one had ended. */
  session(
    request: FastifyRequest,
    reply: FastifyReply,
  ): { readonly session: Session; readonly ended: boolean };
  /** Another session, of who has this key, or of nobody. */
  begin(reply: FastifyReply, adminKey: string | null): Session;
  /** What a form of this session sent. Throws a {@link Refusal} for another session's. */
  formOf(request: FastifyRequest, session: Session): Form;
}

export interface AccessOptions {
  /** Whether browsers are to send the cookie over TLS alone. */
  readonly isSecure: boolean;
}

export function createAccess(app: FastifyInstance, sessions: Sessions, { isSecure }: AccessOptions): Access {
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

  function begin(reply: FastifyReply, adminKey: string | null): Session {
    const begun = sessions.start(adminKey);
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
    async enter(request, reply) {
      const found = session(request, reply);
      const { adminKey } = found.session;
      const header = bearerOf(request);
      const authorization = header ?? (adminKey === null ? null : `Bearer ${adminKey}`);
      if (authorization === null) return { ...found, entrance: null };
      const api = createApi(app, request, authorization);
      try {
        const entrance = { api, terms: await api.terms(), isByHeader: header !== null };
        return { session: found.session, entrance, ended: false };
      } catch (error) {
        if (header !== null || !isAboutIdentity(error)) throw error;
        return { session: begin(reply, null), entrance: null, ended: true };
      }
    },
    formOf(request, session) {
      const form = readForm(request.body);
      if (sessions.isToken(session, form.text('token'))) return form;
      const message = 'This form is of a session that has ended, and nothing was done. Open the page again.';
      throw new Refusal(403, 'OLD_FORM', message);
    },
  };

  function write(reply: FastifyReply, session: Session): void {
    reply.setCookie(cookie, sessions.seal(session), attributes);
  }
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
