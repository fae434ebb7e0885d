import { createPortalAccess } from '../../src/admin/people/portal-access.ts';
import { portalBy } from '../../src/cli/serving/http-listener.ts';
import { type ConsoleDependencies, type ConsoleOptions, createConsole } from '../../src/console/console.ts';
import { callerBy } from '../../src/http/caller.ts';
import { startListener, type TestListener } from '../http/listener.ts';
import type { TestService } from '../service.ts';

/** What a server without script of the page would see of a browser: cookies, forms, redirects as they come. */
export interface Browser {
  /** The cookie as the browser keeps it, `name=value`; null for none. */
  cookie: string | null;
  /** That of a sign-in by an OpenID provider that was begun, likewise. */
  attempt: string | null;
  /** Sent with each request. */
  readonly headers: Record<string, string>;
  get(path: string): Promise<Shown>;
  /** Sends fields, with the token of the last page that was shown. */
  post(path: string, fields: Record<string, string>, headers?: Record<string, string>): Promise<Shown>;
  /** Sends this body as a form, and nothing of its own. */
  send(path: string, body: string, headers?: Record<string, string>): Promise<Shown>;
  signIn(adminKey: string): Promise<Shown>;
  /** Posts, and goes where the answer leads. */
  act(path: string, fields: Record<string, string>): Promise<Shown>;
}

export interface Shown {
  readonly status: number;
  readonly headers: Headers;
  readonly html: string;
  /** Where a redirect leads. */
  readonly location: string | null;
  /** What a reader sees, tags left out. */
  readonly text: string;
}

export interface TestConsole extends TestListener {
  /** Of who has signed in with the admin key of the settings. */
  readonly operator: Browser;
  browser(): Browser;
  /** An admin key. */
  adminKey(permission: 'admin:read' | 'admin:write', owner?: string): Promise<string>;
}

export const fixedAdminKey = `test-admin-${'x'.repeat(32)}`;
const hour = 3_600_000;

/** A whole listener with the console, over a store of its own, until the test ends. */
export async function startConsole(
  options: Partial<ConsoleOptions> = {},
  {
    bodyBytesMax = 1_048_576,
    oidcOf = () => null,
  }: { bodyBytesMax?: number; oidcOf?: (service: TestService) => ConsoleDependencies['oidc'] } = {},
): Promise<TestConsole> {
  const listener = await startListener(
    (service) => ({
      pages: createConsole(
        { ...consoleDependencies(service), oidc: oidcOf(service) },
        {
          secret: Buffer.alloc(32, 7),
          idleMs: hour / 2,
          ageMaxMs: 12 * hour,
          ...{ isSecure: false, takesAdminKeys: true, environment: 'live' },
          ...options,
        },
      ),
    }),
    { bodyBytesMax },
  );
  const browser = () => createBrowser(listener.base);
  const operator = browser();
  await operator.signIn(fixedAdminKey);
  // The token of its forms.
  await operator.get('/console/keys');
  return {
    ...{ ...listener, operator, browser },
    async adminKey(permission, owner) {
      const wanted = {
        name: `${permission} ${owner ?? ''}`.trim(),
        permissions: [permission],
        owner: owner ?? null,
      };
      return (await listener.create({ ...wanted, scheme: 'postern' })).key;
    },
  };
}

/** As `serve` wires them. */
export function consoleDependencies(service: TestService): ConsoleDependencies {
  const now = () => service.clock.now;
  const { tickets } = service;
  return {
    ...{ log: { warn() {}, error() {} }, now, tickets, oidc: null },
    signIn: (request, adminKey) => service.admin.signIn(callerBy(request, adminKey)),
    portal: portalBy(createPortalAccess({ ...service, now })),
  };
}

/** A browser that knows nothing yet. */
export function createBrowser(base: string): Browser {
  let token = '';
  let flash: string | null = null;
  const browser: Browser = {
    ...{ cookie: null, attempt: null },
    headers: {},
    get: (path) => ask(path, { method: 'GET' }),
    post: (path, fields, headers = {}) =>
      browser.send(path, new URLSearchParams({ token, ...fields }).toString(), headers),
    send: (path, body, headers = {}) =>
      ask(path, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      }),
    async act(path, fields) {
      const { location } = await browser.post(path, fields);
      return browser.get(location ?? 'nowhere');
    },
    async signIn(adminKey) {
      await browser.get('/console');
      return browser.post('/console', { admin_key: adminKey });
    },
  };
  return browser;

  async function ask(path: string, { headers, ...init }: RequestInit): Promise<Shown> {
    const cookies = [browser.cookie, browser.attempt, flash].filter((cookie) => cookie !== null);
    const cookie = cookies.length === 0 ? {} : { cookie: cookies.join('; ') };
    const response = await fetch(base + path, {
      ...{ ...init, redirect: 'manual' },
      headers: { ...cookie, ...browser.headers, ...(headers as Record<string, string>) },
    });
    for (const set of response.headers.getSetCookie()) {
      const kept = set.split(';')[0] ?? null;
      if (/^\w+_oidc=/.test(set)) browser.attempt = /_oidc=;/.test(set) ? null : kept;
      else if (/^\w+_flash=/.test(set)) flash = /_flash=;/.test(set) ? null : kept;
      else browser.cookie = kept;
    }
    const html = await response.text();
    token = /name="token" value="([^"]+)"/.exec(html)?.[1] ?? token;
    const text = html
      .replaceAll(/<[^>]*>/g, ' ')
      .replaceAll(/\s+/g, ' ')
      .trim();
    return {
      status: response.status,
      headers: response.headers,
      html,
      text,
      location: response.headers.get('location'),
    };
  }
}

/** The value of a hidden or other field of a form. */
export function fieldIn({ html }: Shown, name: string): string {
  return new RegExp(`name="${name}"[^>]*? value="([^"]*)"`).exec(html)?.[1] ?? '';
}

/** The secret that a page shows; null where it shows none. */
export function secretIn({ html }: Shown): string | null {
  return /<textarea id="secret"[^>]*>([^<]+)</.exec(html)?.[1] ?? null;
}
