/**
 * Room `http/`: REST, OpenAPI, health and metrics. Here: routes, bodies, statuses. Not here: operations
 * (`admin/`) and pages (`console/`).
 */

import type { Server, ServerOptions } from 'node:http';
import { Server as TlsServer } from 'node:tls';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { Admin } from '../admin/admin.ts';
import type { GithubLeaks } from '../admin/leaks/github-leaks.ts';
import { type Listen, ListenError, whyNotOpened } from '../net/listen.ts';
import type { TlsMaterial, TlsSource } from '../net/tls.ts';
import { removeStaleSocket } from '../net/unix-socket.ts';
import { requireClientCertificate, watchHandshakes } from './client-certificate.ts';
import { answerClientError } from './client-error.ts';
import type { HttpLog } from './http-log.ts';
import { addOpenapiRoute } from './openapi/route.ts';
import { addAuditRoutes } from './routes/audit-routes.ts';
import { addBulkRoutes } from './routes/bulk-routes.ts';
import { addDiagnosticsRoutes } from './routes/diagnostics-routes.ts';
import { addEventRoutes } from './routes/event-routes.ts';
import { addHealthRoutes, type HealthDependencies } from './routes/health-routes.ts';
import { addHolderRoutes, type HolderRoutes } from './routes/holder-routes.ts';
import { addImportRoutes } from './routes/import-routes.ts';
import { addJwksRoute, type Jwks } from './routes/jwks-route.ts';
import { addKeyChangeRoutes } from './routes/key-change-routes.ts';
import { addKeyRoutes } from './routes/key-routes.ts';
import { addLeakRoutes } from './routes/leak-routes.ts';
import { addLimitRoutes } from './routes/limit-routes.ts';
import { segmentMax, withOtherMethodsRefused } from './routes/other-methods.ts';
import { addOwnerRoutes } from './routes/owner-routes.ts';
import { addPages, type HttpPages } from './routes/pages.ts';
import { addPortalRoutes } from './routes/portal-routes.ts';
import { addRequestRoutes } from './routes/request-routes.ts';
import { addRoleRoutes } from './routes/role-routes.ts';
import { addTermsRoutes } from './routes/terms-routes.ts';
import { addUsageRoutes } from './routes/usage-routes.ts';
import { errorAnswer, wireErrorAnswer } from './status.ts';

/** The HTTP listener: REST under `/admin`, health, metrics. */
export interface HttpServer {
  /** Resolves to where it listens, with the port taken for port 0; rejects with {@link ListenError}. */
  listen(): Promise<Listen>;
  /** Takes no more connections, finishes the requests under way within `drainMs`, then ends the rest. */
  close(drainMs: number): Promise<void>;
}

export interface HttpDependencies extends HealthDependencies {
  readonly admin: Admin;
  /** What whoever has a key may do with it; nothing where it is absent. */
  readonly holder?: HolderRoutes | undefined;
  /** What GitHub reports as leaked; absent where none of its keys are known. */
  readonly githubLeaks?: GithubLeaks | undefined;
  /** Pages for people; none where it is absent. */
  readonly pages?: HttpPages | undefined;
  /** The keys of identity tokens; none where it is absent. */
  readonly jwks?: Jwks | undefined;
  readonly log: HttpLog;
  /** Unix milliseconds. */
  readonly now: () => number;
}

export interface HttpOptions {
  readonly listen: Listen;
  /** Cleartext where there is none. */
  readonly tls?: TlsSource | null;
  /** Past it a body is answered with 413. Default 1 MiB. */
  readonly bodyBytesMax?: number;
  /** Connections past it are closed as they come. Default 1 024. */
  readonly connectionsMax?: number;
  /** From the first byte of a request's headers to the last. Default 10 s. */
  readonly headersMsMax?: number;
  /** From the first byte of a request to its last. Default 30 s. */
  readonly requestMsMax?: number;
  /** How long a connection may wait for its next request. Default 65 s, more than the usual proxy's 60. */
  readonly keepAliveMs?: number;
}

export function createHttpServer(dependencies: HttpDependencies, options: HttpOptions): HttpServer {
  const { admin, log, now } = dependencies;
  const { listen, connectionsMax = 1_024 } = options;
  const app = createApp(dependencies, options);
  app.server.maxConnections = connectionsMax;
  const handshakes = watchHandshakes(app.server);
  options.tls?.subscribe((material) => {
    if (app.server instanceof TlsServer) app.server.setSecureContext(secureContextOf(material));
  });
  withOtherMethodsRefused(app, () => {
    addHealthRoutes(app, dependencies);
    addOpenapiRoute(app);
    addJwksRoute(app, dependencies.jwks ?? (() => null));
    addKeyRoutes(app, admin, now);
    addLimitRoutes(app, admin);
    addKeyChangeRoutes(app, admin, now);
    addBulkRoutes(app, admin);
    addImportRoutes(app, admin);
    addOwnerRoutes(app, admin, now);
    addRoleRoutes(app, admin);
    addPortalRoutes(app, admin);
    addAuditRoutes(app, admin);
    addRequestRoutes(app, admin);
    addUsageRoutes(app, admin);
    addDiagnosticsRoutes(app, admin);
    addTermsRoutes(app, admin);
    addEventRoutes(app, admin, log);
    addLeakRoutes(app, dependencies);
    if (dependencies.holder !== undefined) addHolderRoutes(app, dependencies.holder, now);
  });
  const { pages } = dependencies;
  if (pages !== undefined) addPages(app, pages);

  return {
    async listen() {
      try {
        return await open();
      } catch (error) {
        throw new ListenError(whyNotOpened(listen, (error as Error).message));
      }
    },
    async close(drainMs) {
      const cutOff = setTimeout(() => {
        app.server.closeAllConnections();
        handshakes.endAll();
      }, drainMs);
      handshakes.end();
      await app.close();
      clearTimeout(cutOff);
    },
  };

  async function open(): Promise<Listen> {
    if (listen.kind === 'tcp') {
      await app.listen({ host: listen.host, port: listen.port });
      return { ...listen, port: portOf(app.server) };
    }
    await removeStaleSocket(listen.path);
    // Every user of the machine may connect; the folder's rights say who may reach it.
    await app.listen({ path: listen.path, readableAll: true, writableAll: true });
    return listen;
  }
}

function createApp({ log, pages }: HttpDependencies, options: HttpOptions): FastifyInstance {
  const { bodyBytesMax = 1_048_576, headersMsMax = 10_000 } = options;
  const { requestMsMax = 30_000, keepAliveMs = 65_000, tls = null } = options;
  const app = fastify({
    ...serverOptionsOf(tls, { headersTimeout: headersMsMax, connectionsCheckingInterval: 5_000 }),
    logger: false,
    bodyLimit: bodyBytesMax,
    requestTimeout: requestMsMax,
    keepAliveTimeout: keepAliveMs,
    // What still arrives while draining is served: it is on a connection that is closed after the answer.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    frameworkErrors: answerError,
    routerOptions: { maxParamLength: segmentMax },
    clientErrorHandler: answerClientError,
    schemaController: {
      compilersFactory: { buildValidator: nothingToCompile, buildSerializer: nothingToCompile },
    },
  });

  // Bodies are JSON whatever their type says they are, also when it says nothing or nonsense.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_, body, done) => done(null, body));
  app.addHook('onRequest', async (request, reply) => {
    if (!isFor(pages, request)) delete request.raw.headers['content-type'];
    addStandingHeaders(reply);
  });
  if (tls?.material.ca !== undefined) requireClientCertificate(app);
  app.addHook('onResponse', async (request, reply) => {
    // The route's pattern, since a path may hold what does not belong in a log.
    const route = request.is404 ? null : (request.routeOptions.url ?? null);
    const { statusCode: status, elapsedTime: ms } = reply;
    log.debug({ method: request.method, route, status, ms: Math.round(ms) }, 'HTTP request');
  });
  app.setErrorHandler(answerError);
  app.setNotFoundHandler(async (_, reply) => {
    const { status, body } = wireErrorAnswer(404);
    return reply.code(status).send(body);
  });
  return app;

  function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const answer = errorAnswer(error);
    if (answer === null) log.error({ err: error, route: request.routeOptions.url }, 'HTTP request broke');
    else if (answer.status === 503) log.warn({ err: error }, 'HTTP request met a store that is away');
    const { status, headers, body } = answer ?? wireErrorAnswer(500);
    addStandingHeaders(reply);
    reply.code(status).headers(headers).send(body);
  }
}

/** No route has a schema, and Fastify would load the compilers of two kinds, which take 2 MB. */
function nothingToCompile() {
  return () => {
    throw new Error('a route has a schema, and nothing compiles it');
  };
}

function isFor(pages: HttpPages | undefined, { url }: FastifyRequest): boolean {
  return (
    pages !== undefined && url.startsWith(pages.path) && /^(?:[/?]|$)/.test(url.slice(pages.path.length))
  );
}

const handshakeMsMax = 10_000;

/**
 * The options of Node's server under the name that makes it one with TLS or without. Fastify's types tell the two
 * apart, which differ in nothing that is used here.
 */
function serverOptionsOf(tls: TlsSource | null, options: ServerOptions): { http?: ServerOptions } {
  if (tls === null) return { http: options };
  const needsClient = tls.material.ca !== undefined;
  const https = {
    ...{ ...options, ...secureContextOf(tls.material) },
    // Who has no certificate is told so by requireClientCertificate.
    ...{ requestCert: needsClient, rejectUnauthorized: false, handshakeTimeout: handshakeMsMax },
  };
  const withTls: { http?: ServerOptions; https: ServerOptions } = { https };
  return withTls;
}

function secureContextOf({ cert, key, ca, minVersion }: TlsMaterial) {
  return { cert, key, minVersion, ...(ca !== undefined && { ca }) };
}

function addStandingHeaders(reply: FastifyReply): void {
  reply.header('Cache-Control', 'no-store').header('X-Content-Type-Options', 'nosniff');
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the HTTP listener has no port');
  return address.port;
}
