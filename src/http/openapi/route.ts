import type { FastifyInstance } from 'fastify';
import { version } from '../../version.ts';
import { openapiDocument } from './document.ts';

/** The document that describes all routes, for whoever asks. */
export function addOpenapiRoute(app: FastifyInstance): void {
  let text: string | null = null;
  app.get('/openapi.json', async (_, reply) => {
    text ??= JSON.stringify(openapiDocument(version));
    reply.type('application/json; charset=utf-8');
    return text;
  });
}
