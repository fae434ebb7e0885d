import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requiredReasons } from '../../../src/schemes/answer.ts';
import { type Authority, createAuthority } from '../../real/certificates.ts';
import type { Envoy } from '../../real/envoy.ts';
import { startChangedEnvoy, startChangedStack } from '../routes.ts';
import { admin, makeKey, type Stack } from '../stack.ts';

const web = 'spiffe://cluster.local/ns/shop/sa/web';
const settings = `
schemes:
  - postern
  - name: firm
    places: [{ header: X-Firm }]
    prefixes: { firm_: live }
    accept: { alphabet: A-Za-z0-9, length: 32 }
    mint: { alphabet: A-Za-z0-9, length: 32 }
    answers:
      - reasons: [${requiredReasons.join(', ')}]
        status: 422
        body: '{"firm":"{{reason}}"}'
rules:
  - { match: { path: /admin/* }, permissions: [admin] }
  - { match: { path: /observed/* }, mode: observe }
  - { match: { path: /open/* }, public: true }
`;

interface Client {
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

let stack: Stack;
/** Whom certificates name → what a client shows. */
const clients: Record<string, Client> = { nobody: {} };
/** Takes any certificate for what it says it is. */
let credulous: Envoy;
/** Asks for none. */
let unasking: Envoy;
let ca: Buffer;

beforeAll(async () => {
  const authority = await createAuthority(afterAll);
  const other = await createAuthority(afterAll);
  ca = await readFile(authority.cert);
  const uri = (value: string) => ({ type: 'url', value }) as const;
  const dns = (value: string) => ({ type: 'dns', value }) as const;
  clients.web = await clientOf(authority, [uri(web)]);
  clients.worker = await clientOf(authority, [uri('spiffe://cluster.local/ns/batch/sa/worker')]);
  clients.named = await clientOf(authority, [dns('a.b.example.com')]);
  clients.both = await clientOf(authority, [dns('a.b.example.com'), uri(web)]);
  clients.subject = await clientOf(authority, [{ type: 'email', value: 'web@example.com' }]);
  clients.impostor = await clientOf(other, [uri(web)]);
  const server = await authority.issue([dns('localhost')]);
  const trusted_ca = { filename: authority.cert };
  const behind = (validation: object | null) => ({ tls: { certificate: server, validation } });
  stack = await startChangedStack(settings, {}, behind({ trusted_ca }));
  const addresses = { checkAddress: stack.postern.check, upstreamAddress: stack.echo.address };
  const untrusted = { trusted_ca, trust_chain_verification: 'ACCEPT_UNTRUSTED' };
  [credulous, unasking] = await Promise.all([
    startChangedEnvoy({ ...addresses, ...behind(untrusted) }),
    startChangedEnvoy({ ...addresses, ...behind(null) }),
  ]);
});
afterAll(async () => {
  await Promise.all([credulous?.stop(), unasking?.stop()]);
  await stack?.stop();
});

async function clientOf(authority: Authority, names: Parameters<Authority['issue']>[0]): Promise<Client> {
  const files = await authority.issue(names);
  return { cert: await readFile(files.cert), key: await readFile(files.key) };
}

/** What a client with this certificate is answered. */
function ask(
  client: string,
  headers: Readonly<Record<string, string>>,
  path = '/a',
  envoy: Pick<Envoy, 'url'> = stack.envoy,
): Promise<{ status: number; body: string }> {
  const { port } = new URL(envoy.url);
  const tls = { ca, servername: 'localhost', ...clients[client] };
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, headers, agent: false, ...tls }, async (answer) => {
      resolve({ status: answer.statusCode ?? 0, body: (await answer.toArray()).join('') });
    });
    sent.on('error', reject).end();
  });
}

/** The status and the code of the error for each client. */
async function toldTo(names: readonly string[], headers: Readonly<Record<string, string>>, path?: string) {
  const told: Record<string, string> = {};
  for (const name of names) {
    const { status, body } = await ask(name, headers, path);
    told[name] = status === 200 ? '200' : `${status} ${JSON.parse(body).error.code}`;
  }
  return told;
}

const denied = '403 caller_not_allowed';
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
const everybody = ['nobody', 'web', 'worker', 'named', 'both', 'subject'];

describe('a key with principals, behind an Envoy that verifies certificates', () => {
  it('is allowed to the callers whom their certificates name, and to nobody else', async () => {
    const workload = await makeKey(stack.postern, { principals: ['spiffe://cluster.local/ns/shop/*'] });
    expect(await toldTo(everybody, bearer(workload.key))).toEqual({
      ...{ nobody: denied, web: '200', worker: denied, named: denied, both: '200', subject: denied },
    });
    const name = await makeKey(stack.postern, { principals: ['*.example.com'] });
    // Of a certificate with both, Envoy tells the URI.
    expect(await toldTo(everybody, bearer(name.key))).toEqual({
      ...{ nobody: denied, web: denied, worker: denied, named: '200', both: denied, subject: denied },
    });
    const any = await makeKey(stack.postern);
    expect(Object.values(await toldTo(everybody, bearer(any.key)))).toEqual(everybody.map(() => '200'));
  });

  it('is judged after the source address and before the permissions', async () => {
    const elsewhere = await makeKey(stack.postern, { principals: [web], ip_allowlist: ['192.0.2.1'] });
    expect(await toldTo(['nobody', 'web'], bearer(elsewhere.key))).toEqual({
      ...{ nobody: '403 ip_not_allowed', web: '403 ip_not_allowed' },
    });
    const { key } = await makeKey(stack.postern, { principals: [web] });
    expect(await toldTo(['nobody', 'web'], bearer(key), '/admin/a')).toEqual({
      ...{ nobody: denied, web: '403 insufficient_permissions' },
    });
  });

  it('is only told of where the route is observed, and not asked for where it is public', async () => {
    const { key } = await makeKey(stack.postern, { principals: [web] });
    expect(await toldTo(['nobody', 'web'], bearer(key), '/observed/a')).toEqual({
      nobody: '200',
      web: '200',
    });
    expect(await toldTo(['nobody'], bearer(key), '/open/a')).toEqual({ nobody: '200' });
    const metrics = await (await fetch(`${stack.postern.url}/metrics`)).text();
    expect(metrics).toMatch(
      /^postern_checks_total\{decision="observed",reason="principal_denied",scheme="postern"\} 1$/m,
    );
  });

  it('is judged by what an update gives and takes, at the latest by effective_at, and so is its successor', async () => {
    const made = await makeKey(stack.postern);
    const update = (principals: readonly string[]) =>
      admin(stack.postern, 'PATCH', `/admin/api-keys/${made.id}`, { principals }) as Promise<{
        data: { effective_at?: string; unconfirmed_replicas?: readonly string[] };
      }>;
    expect((await ask('worker', bearer(made.key))).status).toBe(200);
    const { data } = await update([web]);
    expect(data).toMatchObject({ principals: [web], unconfirmed_replicas: [] });
    expect(await toldTo(['worker', 'web'], bearer(made.key))).toEqual({ worker: denied, web: '200' });
    const rotated = (await admin(stack.postern, 'POST', `/admin/api-keys/${made.id}/rotate`, {})) as {
      data: { key: string };
    };
    expect(await toldTo(['worker', 'web'], bearer(rotated.data.key))).toEqual({ worker: denied, web: '200' });
  });

  it('is told in the default’s words where the scheme has none for it', async () => {
    const { key } = await makeKey(stack.postern, { scheme: 'firm', principals: [web] });
    expect(await toldTo(['nobody', 'web'], { 'x-firm': key })).toEqual({ nobody: denied, web: '200' });
    expect((await ask('nobody', { 'x-firm': 'firm_' })).status).toBe(422);
  });

  it('names nobody who shows a certificate of another authority: there is no connection then', async () => {
    const { key } = await makeKey(stack.postern, { principals: [web] });
    await expect(ask('impostor', bearer(key))).rejects.toThrow();
  });
});

describe('what docs/principals.md says of other Envoys', () => {
  it('is worth nothing where certificates are accepted untrusted', async () => {
    const { key } = await makeKey(stack.postern, { principals: [web] });
    expect((await ask('impostor', bearer(key), '/a', credulous)).status).toBe(200);
  });

  it('is allowed to nobody where no certificate is asked for', async () => {
    const { key } = await makeKey(stack.postern, { principals: [web] });
    expect((await ask('web', bearer(key), '/a', unasking)).status).toBe(403);
  });
});
