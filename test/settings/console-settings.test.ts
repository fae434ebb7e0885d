import { expect, it } from 'vitest';
import { examineSettings } from '../../src/cli/config/settings.ts';

const secret = Buffer.alloc(32, 1).toString('base64');

function examine(yaml: string, environment: Record<string, string> = {}) {
  return examineSettings({ config: 'a.yaml', set: {} }, environment, () => yaml);
}

it('has a console with sessions of half an hour and half a day, over cleartext, unless it is told otherwise', () => {
  expect(examine('').config?.console).toEqual({
    ...{ sessionIdleMs: 1_800_000, sessionMaxMs: 43_200_000, isSecure: false, sessionSecret: null },
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

it('keeps sessions within bounds', () => {
  expect(examine('console: { session_idle: 10s }').problems).toEqual([
    expect.stringContaining('console.session_idle: expected a duration from 1m to 1d'),
  ]);
});
