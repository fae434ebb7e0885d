import { expect, it } from 'vitest';
import { examineSettings } from '../../src/cli/config/settings.ts';

const withSecret = { POSTERN_OIDC_CLIENT_SECRET: 'a secret of the provider' };

function examine(console: object, environment: Record<string, string> = withSecret) {
  return examineSettings({ config: 'a.yaml', set: {} }, environment, () => JSON.stringify({ console }));
}

const origin = 'https://console.example.com';
const oidc = {
  ...{ issuer: 'https://accounts.example.com', client_id: 'postern' },
  grants: [
    { value: 'operators', permissions: ['admin:write'] },
    { value: 'acme', permissions: ['admin:read'], owner: 'acme' },
  ],
};

it('reads an OpenID provider, with defaults for what it need not say', () => {
  const { config, problems } = examine({ origin, oidc: { ...oidc, scopes: ['groups', 'email'] } });
  expect(problems).toEqual([]);
  const { clientSecret, ...read } = config?.console?.oidc ?? {};
  expect(clientSecret?.reveal()).toBe('a secret of the provider');
  expect(read).toEqual({
    ...{ issuer: 'https://accounts.example.com', clientId: 'postern', clientAuth: 'basic', claim: 'groups' },
    scopes: ['openid', 'email', 'groups'],
    grants: [
      { value: 'operators', permissions: ['admin:write'], owner: null },
      { value: 'acme', permissions: ['admin:read'], owner: 'acme' },
    ],
  });
});

it.each([
  ['no origin', { oidc }, 'console.origin: is needed'],
  [
    'an issuer in clear text',
    { origin, oidc: { ...oidc, issuer: 'http://a.example' } },
    'console.oidc.issuer: expected the https URL',
  ],
  [
    'an issuer with a query',
    { origin, oidc: { ...oidc, issuer: 'https://a.example/?x' } },
    'console.oidc.issuer: expected the https URL',
  ],
  ['no client', { origin, oidc: { ...oidc, client_id: '' } }, 'console.oidc.client_id: expected 1 to 256'],
  [
    'another way to send the secret',
    { origin, oidc: { ...oidc, client_auth: 'none' } },
    'console.oidc.client_auth: expected',
  ],
  [
    'a scope with a blank',
    { origin, oidc: { ...oidc, scopes: ['a b'] } },
    'console.oidc.scopes.0: expected a scope',
  ],
  ['no grant', { origin, oidc: { ...oidc, grants: [] } }, 'console.oidc.grants'],
  [
    'a grant of nothing',
    { origin, oidc: { ...oidc, grants: [{ value: 'x', permissions: [] }] } },
    'console.oidc.grants.0.permissions',
  ],
  [
    'a grant of something else',
    { origin, oidc: { ...oidc, grants: [{ value: 'x', permissions: ['admin:*'] }] } },
    'console.oidc.grants.0.permissions.0',
  ],
  ['no way to sign in', { admin_keys: false }, 'console.admin_keys: nobody could sign in to the console'],
] as const)('does not start with %s', (_, console, problem) => {
  expect(examine(console).problems).toEqual([expect.stringContaining(problem)]);
});

it('does not start without the client secret, and quotes none', () => {
  expect(examine({ origin, oidc }, {}).problems).toEqual([
    expect.stringContaining('console.oidc: needs the client secret: set POSTERN_OIDC_CLIENT_SECRET'),
  ]);
  const wrong = examine({ origin, oidc }, { POSTERN_OIDC_CLIENT_SECRET: 'with\na line' });
  expect(wrong.problems).toEqual([
    'POSTERN_OIDC_CLIENT_SECRET: expected 1 to 1024 printable ASCII characters',
  ]);
});

it('takes the form for admin keys away where a provider signs people in, and asks for none where there is no console', () => {
  expect(examine({ origin, oidc, admin_keys: false }).config?.console?.adminKeys).toBe(false);
  expect(examine({ enabled: false, admin_keys: false }).problems).toEqual([]);
  expect(examine({ origin, oidc: { ...oidc, issuer: 'http://127.0.0.1:9000/realms/x' } }).problems).toEqual(
    [],
  );
});
