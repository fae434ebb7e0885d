import type { PortalTerms } from '../../admin/people/portal-operations.ts';
import { formatListen, isLoopback, type Listen } from '../../net/listen.ts';
import type { Config } from '../../settings/config.ts';

/** Where portal sessions are looked at; null where there is no console. */
export function portalTermsOf({ console }: Config, httpAt: () => Listen | null): PortalTerms | null {
  if (console === null) return null;
  const { origin, returnOrigins, isSecure } = console;
  return {
    ...{ origin, returnOrigins, isSecure },
    ownOrigin() {
      const listen = httpAt();
      if (listen === null || listen.kind === 'unix' || !isLoopback(listen)) return null;
      return `${isSecure ? 'https' : 'http'}://${formatListen(listen)}`;
    },
  };
}
