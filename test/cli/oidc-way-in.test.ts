import { expect, it } from 'vitest';
import { examineSettings } from '../../src/cli/config/settings.ts';
import { isWayIn } from '../../src/cli/serving/oidc-sign-in.ts';

it.each([
  ['may change everything', { permissions: ['admin:write'] }, true],
  ['may only read', { permissions: ['admin:read'] }, false],
  ['may change one owner’s keys', { permissions: ['admin:write'], owner: 'acme' }, false],
])('counts an OpenID provider as a way in by who %s: %s', (_, grant, isOne) => {
  const oidc = { issuer: 'https://a.example', client_id: 'x', grants: [{ value: 'x', ...grant }] };
  const given = (more: object) => {
    const console = { origin: 'https://console.example.com', oidc, ...more };
    const environment = { POSTERN_OIDC_CLIENT_SECRET: 'x' };
    return examineSettings({ config: 'a', set: {} }, environment, () => JSON.stringify({ console }));
  };
  expect(isWayIn(given({}).config?.console ?? null)).toBe(isOne);
  expect(isWayIn(given({ enabled: false }).config?.console ?? null)).toBe(false);
});
