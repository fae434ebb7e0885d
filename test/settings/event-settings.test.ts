import { generateKeyPairSync } from 'node:crypto';
import { expect, it } from 'vitest';
import { examineSettings } from '../../src/cli/config/settings.ts';

const whsec = (bytes: number) => `whsec_${Buffer.alloc(bytes, 7).toString('base64')}`;

it('reads who is told of what, with defaults that log everything and send nothing', () => {
  expect(examine('').config?.events).toEqual({
    ...{ log: true, types: null, webhook: null },
    manyFailures: { failures: 100, windowMs: 60_000 },
  });
  const yaml =
    'events:\n  log: false\n  types: [key.revoked]\n  webhook: { url: "https://a.example/b" }\n' +
    '  many_failures: { count: 7, window: 5m }\n';
  const { config } = examine(yaml, { POSTERN_WEBHOOK_SECRET: `${whsec(24)}, ${whsec(64)}` });
  expect(config?.events).toEqual({
    ...{ log: false, types: new Set(['key.revoked']) },
    webhook: {
      url: new URL('https://a.example/b'),
      secrets: [Buffer.alloc(24, 7), Buffer.alloc(64, 7)],
    },
    manyFailures: { failures: 7, windowMs: 300_000 },
  });
});

it('wants what it sends to be signed', () => {
  const { problems } = examine('events: { webhook: { url: "https://a.example" } }');
  expect(problems).toEqual([
    'a.yaml:1: events.webhook.url: needs POSTERN_WEBHOOK_SECRET, or POSTERN_WEBHOOK_SECRET_FILE: what is sent is signed',
  ]);
});

it.each([
  'ftp://a.example',
  'https://user:geheim@a.example',
  'https://user@a.example',
  'a.example/hook',
  'file:///etc/passwd',
])('sends nothing to %s', (url) => {
  const { problems } = examine(`events: { webhook: { url: "${url}" } }`, {
    POSTERN_WEBHOOK_SECRET: whsec(32),
  });
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain('expected an http:// or https:// URL without a user and a password');
});

it.each([
  whsec(23),
  whsec(65),
  'whsec_',
  `x${whsec(32)}`,
  Buffer.alloc(32).toString('base64'),
  `${whsec(32)},`,
])('takes no secret for the webhook that is not whsec_ and enough base64: %s', (secret) => {
  const { problems } = examine('', { POSTERN_WEBHOOK_SECRET: secret });
  expect(problems).toEqual(['POSTERN_WEBHOOK_SECRET: expected whsec_ and the base64 of 24 to 64 bytes']);
});

it('takes P-256 public keys of GitHub, and nothing else', () => {
  const pem = (curve: string) => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: curve });
    return [
      publicKey.export({ type: 'spki', format: 'pem' }),
      privateKey.export({ type: 'pkcs8', format: 'pem' }),
    ] as const;
  };
  const setting = (text: string) => `leaks: { github: { public_keys: { a: ${JSON.stringify(text)} } } }`;
  const [good, secret] = pem('prime256v1');
  expect([...(examine(setting(String(good))).config?.github.pinned.keys() ?? [])]).toEqual(['a']);
  for (const bad of [String(pem('secp384r1')[0]), 'nonsense', '']) {
    expect(examine(setting(bad)).problems).toHaveLength(1);
  }
  const { problems } = examine(setting(String(secret)));
  expect(problems).toEqual([expect.stringContaining('expected a P-256 public key as PEM')]);
});

it('fetches GitHub’s list from its own place, from another, from none, and from none where keys are pinned', () => {
  const pinned = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).publicKey;
  const keys = `public_keys: { a: ${JSON.stringify(pinned.export({ type: 'spki', format: 'pem' }))} }`;
  const mirror = 'http://127.0.0.1:9/keys';
  const urlOf = (github: string) =>
    examine(`leaks: { github: { ${github} } }`).config?.github.url?.href ?? null;
  expect(urlOf('')).toBe('https://api.github.com/meta/public_keys/secret_scanning');
  expect([urlOf('keys_url: none'), urlOf(keys)]).toEqual([null, null]);
  expect([urlOf(`keys_url: "${mirror}"`), urlOf(`${keys}, keys_url: "${mirror}"`)]).toEqual([mirror, mirror]);
  for (const bad of ['ftp://a', 'somewhere', 'http://u:p@a/', '7']) {
    expect(examine(`leaks: { github: { keys_url: "${bad}" } }`).problems).toHaveLength(1);
  }
});

it('names a type that there is not', () => {
  const { problems } = examine('events: { types: [key.revokd] }');
  expect(problems).toEqual([expect.stringMatching(/^a\.yaml:1: events\.types\.0: /)]);
});

function examine(yaml: string, environment: Record<string, string> = {}) {
  return examineSettings({ config: 'a.yaml', set: {} }, environment, () => yaml);
}
