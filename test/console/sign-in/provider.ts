import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';
import { onTestFinished } from 'vitest';

/** A real OpenID provider on loopback, until the test ends. */
export interface TestProvider {
  readonly issuer: string;
  /** What it says of alice, who is whoever signs in. */
  readonly claims: Record<string, unknown>;
  /** The way of a browser through it: from where the console sent it to where it is led back to. */
  visit(url: string): Promise<URL>;
  /** Signs by other keys from now on, and by none that it had. */
  rotateKeys(): void;
  /** What it answers at that path in its own place; null: what it does. */
  instead: ((path: string) => { readonly status: number; readonly json?: object } | null) | null;
}

export const redirectUri = 'https://console.example.com/console/oidc/callback';
export const clientSecret = `client-secret-${'x'.repeat(32)}`;

export interface ProviderOptions {
  /** Whether claims are in the ID token, and not at userinfo alone. */
  readonly inIdToken?: boolean;
  readonly clientAuth?: 'basic' | 'post';
}

export async function startProvider(options: ProviderOptions = {}): Promise<TestProvider> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const claims: Record<string, unknown> = { email: 'alice@example.com', groups: ['staff', 'operators'] };
  let handle = handlerOf(issuer, claims, keyOf(0), options);
  const provider: TestProvider = {
    ...{ issuer, claims, instead: null },
    visit: (url) => visit(url),
    rotateKeys() {
      handle = handlerOf(issuer, claims, keyOf(1), options);
    },
  };
  server.on('request', (request, response) => {
    const other = provider.instead?.(new URL(request.url ?? '', issuer).pathname) ?? null;
    if (other === null) return handle(request, response);
    response.writeHead(other.status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(other.json ?? {}));
  });
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return provider;
}

const keys: object[] = [];

/** Each is made once: that takes long. */
function keyOf(at: number): object {
  keys[at] ??= generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey.export({ format: 'jwk' });
  return keys[at];
}

function handlerOf(
  issuer: string,
  claims: Record<string, unknown>,
  key: object,
  { inIdToken = true, clientAuth = 'basic' }: ProviderOptions,
): RequestListener {
  const provider = new Provider(issuer, {
    clients: [
      {
        ...{ client_id: 'postern', client_secret: clientSecret, redirect_uris: [redirectUri] },
        token_endpoint_auth_method: `client_secret_${clientAuth}`,
      },
    ],
    jwks: { keys: [{ ...key, use: 'sig', alg: 'RS256' }] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], groups: ['groups'] },
    scopes: ['openid', 'email', 'groups'],
    conformIdTokenClaims: !inIdToken,
    ttl: {
      AuthorizationCode: 60,
      Interaction: 600,
      Grant: 600,
      Session: 600,
      AccessToken: 600,
      IdToken: 600,
    },
    cookies: { keys: ['test'] },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    findAccount: (_: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id, ...claims }) }),
    async loadExistingGrant(context: {
      oidc: {
        client: { clientId: string };
        session: { accountId: string };
        provider: {
          Grant: new (of: object) => { addOIDCScope(scope: string): void; save(): Promise<unknown> };
        };
      };
    }) {
      const { client, session, provider: at } = context.oidc;
      const grant = new at.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope('openid email groups');
      await grant.save();
      return grant;
    },
  });
  const callback = provider.callback();
  return (request, response) => {
    if (request.url?.startsWith('/interaction/')) {
      void provider.interactionFinished(request, response, { login: { accountId: 'alice' } });
    } else {
      callback(request, response);
    }
  };
}

/** Follows redirects with cookies until one leads back to the console. */
async function visit(from: string): Promise<URL> {
  const cookies = new Map<string, string>();
  let url = from;
  for (let steps = 0; steps < 10 && !url.startsWith(redirectUri); steps += 1) {
    const cookie = [...cookies].map((pair) => pair.join('=')).join('; ');
    const response = await fetch(url, { redirect: 'manual', headers: { cookie } });
    for (const set of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
      cookies.set(name, value);
    }
    const location = response.headers.get('location');
    if (location === null)
      throw new Error(`no way on from ${url}: ${response.status} ${await response.text()}`);
    url = new URL(location, url).href;
  }
  return new URL(url);
}
