import type { FastifyInstance } from 'fastify';
import { wireErrorAnswer } from '../status.ts';

/** The public keys that identity tokens are verified with (RFC 7517), for anyone; null where there are no tokens. */
export type Jwks = () => { readonly keys: readonly object[] } | null;

/** How long a verifier may keep them, which is well before another key signs. */
const keptSeconds = 300;

export function addJwksRoute(app: FastifyInstance, jwks: Jwks): void {
  app.get('/.well-known/jwks.json', async (_, reply) => {
    const found = jwks();
    if (found === null) {
      const { status, body } = wireErrorAnswer(404);
      return reply.code(status).send(body);
    }
    reply.header('Cache-Control', `public, max-age=${keptSeconds}`);
    return found;
  });
}
