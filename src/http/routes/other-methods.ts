import { METHODS } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { wireErrorAnswer } from '../status.ts';

/** Adds routes to `app` through `add`, and answers every other method on their paths with 405 and `Allow`. */
export function withOtherMethodsRefused(app: FastifyInstance, add: () => void): void {
  const methodsByUrl = new Map<string, Set<string>>();
  let isAdding = true;
  app.addHook('onRoute', ({ url, method }) => {
    if (!isAdding) return;
    const methods = methodsByUrl.get(url) ?? new Set();
    methodsByUrl.set(url, methods);
    for (const name of [method].flat()) methods.add(name);
  });
  add();
  isAdding = false;

  // Node answers CONNECT itself, by closing the connection.
  const known = METHODS.filter((method) => method !== 'CONNECT');
  for (const method of known) {
    if (!app.supportedMethods.includes(method)) app.addHttpMethod(method);
  }
  const { status, body } = wireErrorAnswer(405);
  for (const [url, methods] of methodsByUrl) {
    const allowed = [...methods].sort().join(', ');
    app.route({
      url,
      method: known.filter((method) => !methods.has(method)),
      // Before the body is read.
      onRequest: async (_, reply) => reply.code(status).header('Allow', allowed).send(body),
      handler: () => body,
    });
  }
}
