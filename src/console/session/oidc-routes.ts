import type { FastifyInstance } from 'fastify';
import { signInView } from '../pages/entrance/sign-in.ts';
import { type PageDependencies, refuseOthers } from '../routing.ts';
import { nextIn } from './next.ts';
import type { Oidc, OidcOutcome } from './oidc.ts';
import type { OidcAttempts } from './oidc-attempts.ts';

type Problem = Exclude<OidcOutcome, { readonly kind: 'signed_in' }>;

/** Where people go to sign in by the OpenID provider, and where it leads them back to. */
export function addOidc(
  app: FastifyInstance,
  { access, show, tokenOf, ways }: PageDependencies,
  { oidc, attempts }: { readonly oidc: Oidc; readonly attempts: OidcAttempts },
): void {
  app.get('/oidc', async (request, reply) => {
    const next = nextIn(queryOf(request.url).get('next'));
    const begun = await oidc.begin();
    if (begun === null) return again(request, reply, { kind: 'away' }, next);
    attempts.begin(reply, begun.attempt, next);
    return reply.redirect(begun.url, 303);
  });
  refuseOthers(app, '/oidc', ['GET']);

  app.get('/oidc/callback', async (request, reply) => {
    const begun = attempts.take(request, reply);
    const next = begun?.next ?? '';
    const outcome = await oidc.finish(request.raw, queryOf(request.url), begun?.attempt ?? null);
    if (outcome.kind !== 'signed_in') return again(request, reply, outcome, next);
    access.begin(reply, { kind: 'oidc', ...outcome.visitor });
    return show(request, reply, { redirect: next || '/console' });
  });
  refuseOthers(app, '/oidc/callback', ['GET']);

  function again(
    ...[request, reply, problem, next]: [...Parameters<typeof access.session>, Problem, string]
  ) {
    const { session } = access.session(request, reply);
    const { status, alert } = toldOf(problem, oidc.provider);
    return show(request, reply, signInView(tokenOf(session), ways, { status, alert, next }));
  }
}

function queryOf(url: string): URLSearchParams {
  return new URL(url, 'http://console').searchParams;
}

function toldOf(problem: Problem, provider: string): { readonly status: number; readonly alert: string } {
  if (problem.kind === 'no_grant') {
    const alert = `${provider} knows you as ${problem.who}, and nothing gives you access here. Ask who looks after this console; what changes there holds when you sign in again.`;
    return { status: 403, alert };
  }
  return {
    away: { status: 503, alert: `${provider} cannot be asked who you are at the moment. Try again later.` },
    refused: { status: 403, alert: `${provider} did not sign you in.` },
    wrong: {
      status: 401,
      alert: `This sign-in could not be completed. It is too old, or was begun elsewhere. Sign in again.`,
    },
  }[problem.kind];
}
