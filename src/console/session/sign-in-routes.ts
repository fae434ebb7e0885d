import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Failure } from '../../failure.ts';
import { createApi } from '../api.ts';
import { signedOutOidcView, signedOutView } from '../pages/entrance/portal.ts';
import { isAdminKeyText, signInView } from '../pages/entrance/sign-in.ts';
import { type Arrivals, type PageDependencies, refuseOthers } from '../routing.ts';
import { createAttempts, retrySeconds } from './attempts.ts';
import { nextIn } from './next.ts';

const front = { redirect: '/console' };

/** Signing in at `/console`, and out. */
export function addSignIn(
  app: FastifyInstance,
  { access, show, now, tokenOf, signIn, portal, oidc, ways }: PageDependencies,
  { home, resume }: Arrivals,
): void {
  const attempts = createAttempts(now);

  app.get('/', async (request, reply) => {
    const { session, entrance, ended, before } = await access.enter(request, reply);
    const query = new URL(request.url, 'http://console').searchParams;
    const next = nextIn(query.get('next'));
    if (entrance !== null && next !== '') return show(request, reply, { redirect: next });
    if (entrance !== null) return home(request, reply, { session, entrance });
    if (before?.kind === 'portal') return show(request, reply, signedOutView(before.returnUrl, true));
    const hasEnded = ended || query.has('ended');
    const note = hasEnded ? 'Your session has ended. Sign in again.' : '';
    return show(request, reply, signInView(tokenOf(session), ways, { note, next }));
  });

  app.post('/', async (request, reply) => {
    const { session } = access.session(request, reply);
    const address = request.raw.socket.remoteAddress ?? '';
    if (!ways.takesAdminKeys) {
      const alert = 'Admin keys are not taken here.';
      return show(request, reply, signInView(tokenOf(session), ways, { status: 403, alert }));
    }
    const form = access.formOf(request, session);
    const [next, kept] = [nextIn(form.text('next')), form.text('kept')];
    const again = (status: number, problem: string) =>
      show(request, reply, signInView(tokenOf(session), ways, { status, problem, next, kept }));
    const adminKey = form.text('admin_key');
    // The right key is taken however many wrong ones came before: behind a proxy, all have one address.
    const problem = await whyNot(request, adminKey);
    if (problem === null) {
      const begun = access.begin(reply, { kind: 'key', adminKey });
      if (kept === '') return show(request, reply, next === '' ? front : { redirect: next });
      const { entrance } = await access.enterBy(request, reply, begun);
      return entrance === null
        ? show(request, reply, front)
        : resume(request, reply, { session: begun, entrance }, kept);
    }
    const isOften = attempts.isRefused(address);
    attempts.fail(address);
    if (!isOften) return again(401, problem);
    reply.header('Retry-After', String(retrySeconds));
    return again(429, `${problem} Many from your address were not: wait a minute before you try another.`);
  });
  refuseOthers(app, '/', ['GET', 'POST']);

  app.post('/resume', async (request, reply) => {
    const { session, entrance } = await access.enter(request, reply);
    const kept = access.sentForm(request).text('kept');
    if (entrance !== null) return resume(request, reply, { session, entrance }, kept);
    const note = 'You are not signed in yet. What you filled in is kept.';
    return show(request, reply, signInView(tokenOf(session), ways, { status: 401, note, kept }));
  });
  refuseOthers(app, '/resume', ['POST']);

  app.post('/sign-out', async (request, reply) => {
    const { session } = access.session(request, reply);
    access.formOf(request, session);
    access.begin(reply, null);
    const { holder } = session;
    if (holder?.kind === 'oidc' && oidc !== null) {
      return show(request, reply, signedOutOidcView(oidc.provider, await oidc.signOutUrl()));
    }
    if (holder?.kind !== 'portal') return show(request, reply, { redirect: '/console' });
    await portal.end(request.raw, holder.id);
    return show(request, reply, signedOutView(holder.returnUrl, false));
  });
  refuseOthers(app, '/sign-out', ['POST']);

  /** Why an admin key is not taken; null where it is. Either is in the journal, as `SignIn`. */
  async function whyNot(request: FastifyRequest, adminKey: string): Promise<string | null> {
    const isText = isAdminKeyText(adminKey);
    if (adminKey === '') return noAdminKey;
    try {
      await signIn(request.raw, isText ? adminKey : null);
      return null;
    } catch (error) {
      const isTold =
        error instanceof Failure && ['UNAUTHENTICATED', 'PERMISSION_DENIED'].includes(error.code);
      if (isTold) return isText ? error.message : noAdminKey;
      // REST tells in its own way what keeps anybody from signing in.
      await createApi(app, request, `Bearer ${adminKey}`).terms();
      throw error;
    }
  }
}

const noAdminKey = 'Invalid admin key.';
