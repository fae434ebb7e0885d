import { expect, it } from 'vitest';
import { examineSettings } from '../../src/cli/config/settings.ts';
import { configWarnings } from '../../src/settings/config-warnings.ts';

const secret = Buffer.alloc(32, 1).toString('base64');

function examine(yaml: string, environment: Record<string, string> = {}) {
  return examineSettings({ config: 'a.yaml', set: {} }, environment, () => yaml);
}

it('has a console with sessions of half an hour and half a day, over cleartext, unless it is told otherwise', () => {
  expect(examine('').config?.console).toEqual({
    ...{ sessionIdleMs: 1_800_000, sessionMaxMs: 43_200_000, isSecure: false, sessionSecret: null },
    ...{ origin: null, returnOrigins: [], adminKeys: true, oidc: null },
  });
});

it('has no console where it is turned off', () => {
  expect(examine('console: { enabled: false }').config?.console).toBeNull();
});

it('knows that browsers come by TLS, by the listener’s own or by a word for a proxy’s', () => {
  for (const yaml of ['console: { behind_tls: true }', 'http: { tls: { cert: /a, key: /b } }']) {
    expect([yaml, examine(yaml).config?.console?.isSecure]).toEqual([yaml, true]);
  }
});

it('takes the base64 of 32 bytes and more as the secret of sessions, and quotes no other', () => {
  const taken = examine('', { POSTERN_CONSOLE_SESSION_SECRET: secret });
  expect(taken.config?.console?.sessionSecret).toEqual(Buffer.alloc(32, 1));
  for (const wrong of ['short', secret.slice(0, 40), `${secret} ${secret}`, '!'.repeat(60)]) {
    expect(examine('', { POSTERN_CONSOLE_SESSION_SECRET: wrong }).problems).toEqual([
      'POSTERN_CONSOLE_SESSION_SECRET: expected the base64 of 32 or more bytes',
    ]);
  }
});

it('takes origins as browsers write them, and nothing that is more than one', () => {
  const { config, problems } = examine(
    'console: { origin: "https://Console.example.com:443", return_origins: ["http://A.example:8080"] }',
  );
  expect(problems).toEqual([]);
  expect(config?.console).toMatchObject({
    ...{ origin: 'https://console.example.com', returnOrigins: ['http://a.example:8080'] },
  });
  for (const wrong of [
    'https://a.example/',
    'https://u@a.example',
    'ftp://a',
    'a.example',
    '*',
    'https://a b',
  ])
    expect([wrong, examine(`console: { return_origins: ["${wrong}"] }`).problems]).toEqual([
      wrong,
      [expect.stringContaining('console.return_origins.0: expected an origin')],
    ]);
});

it('warns of an https origin to which cookies go by http too', () => {
  const { config } = examine('console: { origin: "https://console.example.com" }');
  expect(config && configWarnings(config).map(({ path }) => path.join('.'))).toContain('console.origin');
});

it('keeps sessions within bounds', () => {
  expect(examine('console: { session_idle: 10s }').problems).toEqual([
    expect.stringContaining('console.session_idle: expected a duration from 1m to 1d'),
  ]);
});
