import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startChangedStack, startConfigured } from '../routes.ts';
import { admin, makeKey, type Stack, send } from '../stack.ts';

const run = promisify(execFile);
const settings = `
identity_token: { header: X-Identity, issuer: "https://keys.example.com", audience: [shop, till], expires_in: 1m }
plans: { gold: { limit: 1000, window: 60s } }
http_check: { listen: "127.0.0.1:0" }
`;
const routes = [{ prefix: '/open/', context: { public: 'true' } }];

let stack: Stack;
beforeAll(async () => {
  stack = await startChangedStack(settings, {}, { routes });
});
afterAll(() => stack?.stop());

describe('the identity token', () => {
  it("is verified by another language's library, with the keys of /.well-known/jwks.json", async () => {
    const made = await makeKey(stack.postern, {
      owner: 'acme',
      plan: 'gold',
      permissions: ['read:a', 'write:b'],
    });
    const token = await tokenOf(made.key);
    expect(await tokenOf(made.key)).toBe(token);
    expect(await verifiedByPython(stack, token)).toMatchObject({
      ...{ iss: 'https://keys.example.com', sub: made.id, aud: ['shop', 'till'], owner: 'acme' },
      ...{ scheme: 'postern', environment: 'live', permissions: ['read:a', 'write:b'], plan: 'gold' },
    });
    await expect(verifiedByPython(stack, `${token.slice(0, -4)}AAAA`)).rejects.toThrow(
      'InvalidSignatureError',
    );
  });

  it('is another at once for a key that changed, and for nobody who is not allowed', async () => {
    const made = await makeKey(stack.postern, { permissions: ['read:a'] });
    const first = await tokenOf(made.key);
    await admin(stack.postern, 'PATCH', `/admin/api-keys/${made.id}`, { permissions: [] });
    const second = await tokenOf(made.key);
    expect(second).not.toBe(first);
    expect(await verifiedByPython(stack, second)).toMatchObject({ permissions: [] });
    const forged = [['x-identity', first] as const, ['x.identity', first] as const];
    const { upstream } = await send(stack.envoy.url, '/open/a', forged);
    expect(Object.keys(upstream?.headers ?? {}).filter((name) => name.includes('identity'))).toEqual([]);
    const replaced = await send(stack.envoy.url, '/a', [['authorization', `Bearer ${made.key}`], ...forged]);
    expect(replaced.upstream?.headers['x-identity']).toEqual([second]);
    expect(replaced.upstream?.headers).not.toHaveProperty('x.identity');
  });

  it('is told over HTTP, too', async () => {
    const made = await makeKey(stack.postern);
    const { host, port } = stack.postern.httpCheck ?? { host: '', port: 0 };
    const { headers } = await send(`http://${host}:${port}`, '/check', [
      ['authorization', `Bearer ${made.key}`],
    ]);
    expect(await verifiedByPython(stack, String(headers['x-identity']))).toMatchObject({ sub: made.id });
  });
});

it('keys of POSTERN_IDENTITY_KEYS are all published, and the first signs', async () => {
  const [one, other] = [1, 2].map(() =>
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
  );
  const postern = await startConfigured('identity_token: { issuer: me }', {
    POSTERN_IDENTITY_KEYS: `${one}${other}`,
  });
  onTestFinished(() => postern.stop());
  const answer = await fetch(`${postern.url}/.well-known/jwks.json`);
  const { keys } = (await answer.json()) as { keys: Record<string, string>[] };
  expect(answer.headers.get('cache-control')).toBe('public, max-age=300');
  expect(keys.map(({ kty, crv, alg, use, d }) => [kty, crv, alg, use, d])).toEqual([
    ['EC', 'P-256', 'ES256', 'sig', undefined],
    ['EC', 'P-256', 'ES256', 'sig', undefined],
  ]);
});

it('without the setting there are no keys to fetch', async () => {
  const postern = await startConfigured('{}');
  onTestFinished(() => postern.stop());
  expect((await fetch(`${postern.url}/.well-known/jwks.json`)).status).toBe(404);
});

async function tokenOf(key: string): Promise<string> {
  const { upstream } = await send(stack.envoy.url, '/a', [['authorization', `Bearer ${key}`]]);
  return upstream?.headers['x-identity']?.join() ?? '';
}

const library = fileURLToPath(new URL('../../../.cache/real/pyjwt-2.15.1/', import.meta.url));
const program = `
import json, sys, jwt
client = jwt.PyJWKClient(sys.argv[1])
try:
    key = client.get_signing_key_from_jwt(sys.argv[2]).key
    print(json.dumps(jwt.decode(sys.argv[2], key, algorithms=["ES256"], audience="till", issuer="https://keys.example.com",
        options={"require": ["exp", "iat", "iss", "sub", "aud"]})))
except jwt.InvalidTokenError as error:
    sys.exit(type(error).__name__)
`;

/** By PyJWT; the first call on a machine installs it into the cache. */
async function verifiedByPython({ postern }: Stack, token: string): Promise<unknown> {
  if (!existsSync(library)) {
    const options = ['--quiet', '--disable-pip-version-check', '--target', library];
    await run('python3', ['-m', 'pip', 'install', ...options, 'PyJWT[crypto]==2.15.1']);
  }
  const env = { ...process.env, PYTHONPATH: library };
  const jwks = `${postern.url}/.well-known/jwks.json`;
  const { stdout } = await run('python3', ['-c', program, jwks, token], { env });
  return JSON.parse(stdout);
}
