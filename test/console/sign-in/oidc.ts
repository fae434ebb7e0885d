import { createOidcSignIn, type OidcSignIn } from '../../../src/cli/serving/oidc-sign-in.ts';
import type { ConsoleOptions } from '../../../src/console/console.ts';
import { Secret } from '../../../src/keys/secret.ts';
import type { OidcSettings } from '../../../src/settings/console/oidc-spec.ts';
import { type Browser, type Shown, startConsole, type TestConsole } from '../browser.ts';
import { clientSecret, type ProviderOptions, startProvider, type TestProvider } from './provider.ts';

/** A console at which a real OpenID provider signs people in. */
export interface TestOidc extends TestConsole {
  readonly provider: TestProvider;
  readonly signIn: OidcSignIn;
  /** Begins a sign-in and goes through the provider: where the browser is led back to, as a path. */
  led(visitor: Browser): Promise<string>;
  /** A whole sign-in. */
  signedIn(visitor?: Browser): Promise<{ readonly visitor: Browser; readonly shown: Shown }>;
}

export const grants: OidcSettings['grants'] = [
  { value: 'operators', permissions: ['admin:write'], owner: null },
  { value: 'support', permissions: ['admin:read'], owner: null },
  { value: 'acme', permissions: ['admin:write'], owner: 'acme' },
];

export async function startOidc(
  settings: Partial<OidcSettings> = {},
  options: Partial<ConsoleOptions> & ProviderOptions = {},
): Promise<TestOidc> {
  const provider = await startProvider(options);
  let signIn: OidcSignIn | null = null;
  const started = await startConsole(options, {
    oidcOf({ refusals, clock }) {
      const oidc: OidcSettings = {
        ...{ issuer: provider.issuer, clientId: 'postern', clientSecret: new Secret(clientSecret) },
        ...{ clientAuth: 'basic', scopes: ['openid', 'email', 'groups'], claim: 'groups', grants },
        ...settings,
      };
      signIn = createOidcSignIn(
        { oidc, origin: 'https://console.example.com' },
        { refusals, monotonic: () => clock.now, log: { warn() {} } },
      );
      return signIn;
    },
  });
  if (signIn === null) throw new Error('there is no provider');
  const led = async (visitor: Browser) => {
    const { location } = await visitor.get('/console/oidc');
    const { pathname, search } = await provider.visit(location ?? '');
    return pathname + search;
  };
  return {
    ...{ ...started, provider, signIn, led },
    async signedIn(visitor = started.browser()) {
      return { visitor, shown: await visitor.get(await led(visitor)) };
    },
  };
}
