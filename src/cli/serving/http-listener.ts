import { randomBytes } from 'node:crypto';
import { createPortalAccess, type PortalAccess } from '../../admin/people/portal-access.ts';
import { createConsole } from '../../console/console.ts';
import type { Portal } from '../../console/session/portal.ts';
import { callerBy } from '../../http/caller.ts';
import type { Jwks } from '../../http/routes/jwks-route.ts';
import type { HttpPages } from '../../http/routes/pages.ts';
import { createHttpServer, type HttpDependencies, type HttpServer } from '../../http/server.ts';
import type { TlsSource } from '../../net/tls.ts';
import type { Config } from '../../settings/config.ts';
import type { Logger } from '../../telemetry/log.ts';
import type { createCore } from './core.ts';

export interface HttpListenerDependencies {
  readonly core: ReturnType<typeof createCore>;
  readonly log: Logger;
  readonly isReady: HttpDependencies['isReady'];
  readonly tls: TlsSource | null;
  readonly jwks: Jwks;
}

/** REST, health, metrics, and the console unless it is turned off. */
export function createHttpListener(
  config: Config,
  { core, log, isReady, tls, jwks }: HttpListenerDependencies,
): HttpServer {
  const { admin, holder, githubLeaks, metrics, now } = core;
  return createHttpServer(
    {
      ...{ admin, githubLeaks, now, isReady, metrics: metrics.scrape, log, jwks },
      holder: { holder, settings: config.holder },
      pages: pagesOf(config, log, core),
    },
    { listen: config.http.listen, bodyBytesMax: config.http.bodyBytesMax, tls },
  );
}

/** Without a secret of the settings, sessions are of this process alone. */
function pagesOf(
  { console, environment }: Config,
  log: Logger,
  { admin, registry, store, refusals, tickets, oidc, now }: ReturnType<typeof createCore>,
): HttpPages | undefined {
  if (console === null) return undefined;
  const { sessionSecret, sessionIdleMs: idleMs, sessionMaxMs: ageMaxMs, isSecure, adminKeys } = console;
  return createConsole(
    {
      ...{ log, now, tickets, oidc },
      signIn: (request, adminKey) => admin.signIn(callerBy(request, adminKey)),
      portal: portalBy(createPortalAccess({ registry, store, refusals, now })),
    },
    {
      secret: sessionSecret ?? randomBytes(32),
      idleMs,
      ageMaxMs,
      isSecure,
      takesAdminKeys: adminKeys,
      environment,
    },
  );
}

/** A browser has no other name than its address. */
export function portalBy({ canOpen, identity, open, end }: PortalAccess): Portal {
  return {
    ...{ canOpen, identity },
    open: (request, token) => open(callerBy(request, null), token),
    end: (request, id) => end(callerBy(request, null), id),
  };
}
