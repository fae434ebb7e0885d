import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Settlement } from '../api-answers.ts';
import { createSealing } from './sealing.ts';
import type { Session } from './session.ts';

/** What a page says once of the act that led to it. */
export interface Flash {
  readonly text: string;
  /** From when on the act holds, where it took something away. */
  readonly settled?: Settlement & { readonly unnamed?: number };
  /** The form that undoes it: the path that it is posted to, and what its button says. */
  readonly undo?: { readonly action: string; readonly label: string };
}

/** Flashes are kept in a cookie for one page of one session, sealed: nobody makes one up, and each is shown once. */
export interface Flashes {
  /** For the page at this path. */
  tell(reply: FastifyReply, session: Session, at: string, flash: Flash): void;
  /** That of the page which is asked for, and of no other; it is gone then. */
  take(request: FastifyRequest, reply: FastifyReply, session: Session): Flash | null;
}

const lifeMs = 60_000;
/** As many as a cookie has room for, with what else is in it. */
const replicasMax = 8;
const replicaLengthMax = 128;

export function createFlashes(
  now: () => number,
  { secret, isSecure }: { readonly secret: Buffer; readonly isSecure: boolean },
): Flashes {
  const sealing = createSealing(secret, {
    use: 'postern console: sealing flashes',
    purpose: 'postern console flash v1',
  });
  const cookie = isSecure ? '__Secure-postern_console_flash' : 'postern_console_flash';
  const attributes = { path: '/console', httpOnly: true, sameSite: 'strict', secure: isSecure } as const;

  return {
    tell(reply, { id }, at, flash) {
      const sealed = sealing.seal(JSON.stringify([id, pathOf(at), now(), bounded(flash)]));
      reply.setCookie(cookie, sealed, { ...attributes, maxAge: lifeMs / 1_000 });
    },
    take(request, reply, session) {
      const text = sealing.open(request.cookies[cookie]);
      if (text === null) return null;
      const [id, at, toldAt, flash] = JSON.parse(text) as [string, string, number, Flash];
      if (id !== session.id || now() - toldAt >= lifeMs) return forget(reply);
      if (at !== pathOf(request.url)) return null;
      forget(reply);
      return flash;
    },
  };

  function forget(reply: FastifyReply): null {
    reply.clearCookie(cookie, attributes);
    return null;
  }
}

function pathOf(url: string): string {
  return new URL(url, 'http://console').pathname;
}

function bounded(flash: Flash): Flash {
  const { settled } = flash;
  if (settled === undefined) return flash;
  const { effective_at, unconfirmed_replicas: others } = settled;
  const unconfirmed_replicas = others
    .slice(0, replicasMax)
    .map((replica) => replica.slice(0, replicaLengthMax));
  return {
    ...flash,
    settled: { effective_at, unconfirmed_replicas, unnamed: Math.max(0, others.length - replicasMax) },
  };
}
