import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { SignInWays } from './pages/entrance/sign-in.ts';
import type { Recollection } from './recollection.ts';
import { Refusal } from './refusal.ts';
import type { Access, Entrance } from './session/access.ts';
import type { Flash, Flashes } from './session/flash.ts';
import type { KeptForms } from './session/kept-forms.ts';
import type { Oidc } from './session/oidc.ts';
import type { Portal } from './session/portal.ts';
import type { Session } from './session/session.ts';
import type { Data, Download, Redirect, View } from './session/visit.ts';

/** Shows a page to a browser; one without its surroundings to who is not known. */
export type Show = (
  request: FastifyRequest,
  reply: FastifyReply,
  view: View | Redirect | Data | Download,
  around?: { readonly entrance: Entrance; readonly token: string; readonly flash?: Flash | null },
) => FastifyReply;

/**
 * Journals that who sends this signs in by an admin key, null for what can be none. Throws a `Failure` where they may
 * not.
 */
export type SignIn = (request: IncomingMessage, adminKey: string | null) => Promise<void>;

/** Who is signed in, and by which session. */
export interface Known {
  readonly session: Session;
  readonly entrance: Entrance;
}

/** What is shown to who has just signed in. */
export interface Arrivals {
  /** The first page of all. */
  home(request: FastifyRequest, reply: FastifyReply, known: Known): Promise<FastifyReply>;
  /** The form that was kept. */
  resume(request: FastifyRequest, reply: FastifyReply, known: Known, kept: string): Promise<FastifyReply>;
}

/** What routes are made of. */
export interface PageDependencies {
  readonly access: Access;
  readonly show: Show;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly signIn: SignIn;
  readonly ways: SignInWays;
  readonly portal: Portal;
  /** Null where no provider signs people in. */
  readonly oidc: Oidc | null;
  readonly flashes: Flashes;
  readonly keptForms: KeptForms;
  readonly recollection: Recollection;
  /** What the forms of a session carry. */
  readonly tokenOf: (session: Session) => string;
}

/** Answers every other method on a path with 405, before a body is read. */
export function refuseOthers(app: FastifyInstance, path: string, methods: readonly string[]): void {
  const allowed = methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
  app.route({
    url: path,
    method: app.supportedMethods.filter((method) => !allowed.includes(method)),
    onRequest: async (_, reply) => {
      reply.header('Allow', allowed.join(', '));
      throw methodRefusal();
    },
    handler: () => null,
  });
}

export function methodRefusal(): Refusal {
  return new Refusal(405, 'METHOD_NOT_ALLOWED', 'This page is not asked for in this way.');
}
