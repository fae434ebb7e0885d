import type { FastifyInstance, FastifyPluginAsync } from 'fastify';

/** What is served under a path of its own, with its own headers, bodies and errors. */
export interface HttpPages {
  /** As in `/console`. */
  readonly path: string;
  /** Gets the requests for `path` and what is below it; reaches the REST API by `inject`. */
  readonly plugin: FastifyPluginAsync;
}

/** Pages; and leads who asks for `/` as browsers do to them. Everybody else finds nothing there. */
export function addPages(app: FastifyInstance, { path, plugin }: HttpPages): void {
  app.register(plugin, { prefix: path });
  app.get('/', async (request, reply) => {
    reply.header('Vary', 'Accept');
    if (!takesHtml(request.headers.accept)) return reply.callNotFound();
    return reply.redirect(path, 303);
  });
}

/** By name: what takes anything, as curl does, is no browser. */
function takesHtml(accept = ''): boolean {
  return accept.split(',').some((range) => {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    return type === 'text/html' && !parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter));
  });
}
