import type { FastifyInstance, FastifyRequest } from 'fastify';
import { createApi } from '../api.ts';
import { isAdminKeyText, signInView } from '../pages/sign-in.ts';
import { Refusal } from '../refusal.ts';
import { type PageDependencies, refuseOthers } from '../routing.ts';
import { createAttempts, retrySeconds } from './attempts.ts';

const keys = { redirect: '/console/keys' };

/** Signing in at `/console`, and out. */
export function addSignIn(app: FastifyInstance, { access, show, now, tokenOf }: PageDependencies): void {
  const attempts = createAttempts(now);

  app.get('/', async (request, reply) => {
    const { session, entrance, ended } = await access.enter(request, reply);
    if (entrance !== null) return show(request, reply, keys);
    const hasEnded = ended || request.url.endsWith('?ended');
    const note = hasEnded ? 'Your session has ended. Sign in again.' : '';
    return show(request, reply, signInView(tokenOf(session), { note }));
  });

  app.post('/', async (request, reply) => {
    const { session } = access.session(request, reply);
    const address = request.raw.socket.remoteAddress ?? '';
    const form = access.formOf(request, session);
    const again = (status: number, problem: string) =>
      show(request, reply, signInView(tokenOf(session), { status, problem }));
    if (attempts.isRefused(address)) {
      reply.header('Retry-After', String(retrySeconds));
      return again(429, 'Too many keys from your address were not taken. Wait a minute, then try again.');
    }
    const adminKey = form.text('admin_key');
    const problem = await whyNot(app, request, adminKey);
    if (problem !== null) {
      attempts.fail(address);
      return again(401, problem);
    }
    access.begin(reply, adminKey);
    return show(request, reply, keys);
  });
  refuseOthers(app, '/', ['GET', 'POST']);

  app.post('/sign-out', async (request, reply) => {
    access.formOf(request, access.session(request, reply).session);
    access.begin(reply, null);
    return show(request, reply, { redirect: '/console' });
  });
  refuseOthers(app, '/sign-out', ['POST']);
}

/** Why an admin key is not taken; null where it is. */
async function whyNot(
  app: FastifyInstance,
  request: FastifyRequest,
  adminKey: string,
): Promise<string | null> {
  if (!isAdminKeyText(adminKey)) return 'This is no admin key.';
  try {
    await createApi(app, request, `Bearer ${adminKey}`).terms();
    return null;
  } catch (error) {
    if (error instanceof Refusal && (error.status === 401 || error.status === 403)) return error.message;
    throw error;
  }
}
