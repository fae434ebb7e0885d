import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { connect, type PeerCertificate } from 'node:tls';
import {
  credentials,
  type Metadata,
  makeGenericClientConstructor,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { AuthorizationService } from '../../../src/grpc/gen/envoy/service/auth/v3/external_auth.ts';
import { KeyAdminService } from '../../../src/grpc/gen/postern/admin/v1/key_admin.ts';
import { type Authority, type CertificateFiles, createAuthority } from '../../real/certificates.ts';
import { type Address, adminKey, type Postern } from '../../real/postern.ts';
import { until } from '../../real/until.ts';
import { startConfigured } from '../routes.ts';

const deploy = { type: 'url', value: 'spiffe://cluster.local/ns/ops/sa/deploy' } as const;
const auditor = { type: 'url', value: 'spiffe://cluster.local/ns/ops/sa/auditor' } as const;
const tenant = { type: 'dns', value: 'acme.example' } as const;
const localhost = { type: 'dns', value: 'localhost' } as const;

interface Setting {
  readonly postern: Postern;
  readonly authority: Authority;
  readonly server: CertificateFiles;
}

/** A service whose three listeners speak TLS, with clients of one authority alone. */
async function start(atEnd: (end: () => Promise<void>) => void): Promise<Setting> {
  const authority = await createAuthority(atEnd);
  const server = await authority.issue([localhost]);
  const tls = JSON.stringify({ ...server, client_ca: authority.cert });
  const clients = [
    { name: `URI:${deploy.value}`, permissions: ['admin:write'] },
    { name: `URI:${auditor.value}`, permissions: ['admin:read'] },
    { name: `DNS:${tenant.value}`, permissions: ['admin:write'], owner: 'acme' },
  ];
  const postern = await startConfigured(
    `check: { tls: ${tls}, store_timeout: 5s }\nadmin: { tls: ${tls}, clients: ${JSON.stringify(clients)} }\nhttp: { tls: ${tls} }\n`,
  );
  atEnd(() => postern.stop());
  return { postern, authority, server };
}

interface Client {
  readonly ca: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

async function clientOf({ authority }: Setting, files: CertificateFiles | null): Promise<Client> {
  const ca = await readFile(authority.cert);
  return files === null ? { ca } : { ca, cert: await readFile(files.cert), key: await readFile(files.key) };
}

/** The status of a REST call and its JSON, as that client. */
function rest(
  { postern }: Setting,
  client: Client,
  path: string,
  { method = 'GET', headers = {}, body = '' } = {},
): Promise<{
  status: number | undefined;
  json: { data?: Record<string, unknown>[] & Record<string, unknown>; error?: { message: string } };
}> {
  const url = new URL(path, postern.url.replace('http:', 'https:').replace('127.0.0.1', 'localhost'));
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, ...client, agent: false }, async (answer) => {
      const text = (await answer.toArray()).join('');
      resolve({ status: answer.statusCode, json: JSON.parse(text) });
    });
    sent.on('error', reject).end(body);
  });
}

const AdminClient = makeGenericClientConstructor(KeyAdminService, 'KeyAdmin');
const CheckClient = makeGenericClientConstructor(AuthorizationService, 'Authorization');

/** The name of the status of a gRPC call. */
async function grpc(
  kind: typeof AdminClient,
  { port }: Address,
  client: Client,
  method: string,
): Promise<string> {
  const made = new kind(`localhost:${port}`, credentials.createSsl(client.ca, client.key, client.cert));
  try {
    return await new Promise((resolve) => {
      const call = made[method] as (
        request: object,
        options: { deadline: number },
        done: (error: ServiceError | null) => void,
      ) => Metadata;
      call.call(made, { page_size: 0, page_token: '' }, { deadline: Date.now() + 60_000 }, (error) =>
        resolve(status[error?.code ?? status.OK] ?? ''),
      );
    });
  } finally {
    made.close();
  }
}

describe('with TLS on every listener', () => {
  let setting: Setting;
  const as: Record<string, Client> = {};

  beforeAll(async () => {
    setting = await start(afterAll);
    const { authority } = setting;
    as.nobody = await clientOf(setting, null);
    as.deploy = await clientOf(setting, await authority.issue([deploy]));
    as.auditor = await clientOf(setting, await authority.issue([localhost, auditor]));
    as.tenant = await clientOf(setting, await authority.issue([tenant]));
    as.stranger = await clientOf(setting, await authority.issue([{ type: 'dns', value: 'x.example' }]));
    as.expired = await clientOf(setting, await authority.issue([deploy], { days: -1 }));
    const other = await createAuthority(afterAll);
    as.impostor = await clientOf(setting, await other.issue([deploy]));
  });

  it.each(['nobody', 'expired', 'impostor'])('%s gets nowhere, but to the probes', async (name) => {
    const client = as[name] as Client;
    const headers = { authorization: `Bearer ${adminKey}` };
    for (const path of ['/metrics', '/admin/api-keys', '/no/such/path']) {
      const { status, json } = await rest(setting, client, path, { headers });
      expect([path, status]).toEqual([path, 403]);
      expect(json).toMatchObject({ error: { details: { reason: 'CLIENT_CERTIFICATE_REQUIRED' } } });
    }
    for (const path of ['/healthz', '/readyz']) expect((await rest(setting, client, path)).status).toBe(200);
    expect(await grpc(AdminClient, setting.postern.admin, client, 'listOwners')).toBe('UNAVAILABLE');
    expect(await grpc(CheckClient, setting.postern.check, client, 'check')).toBe('UNAVAILABLE');
  });

  it('a session that is resumed without a certificate is not taken for one with it', async () => {
    const { ca } = as.nobody as Client;
    const port = Number(new URL(setting.postern.url).port);
    const get = (path: string) =>
      `GET ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${adminKey}\r\nconnection: close\r\n\r\n`;
    const ask = async (path: string, session?: Buffer) => {
      const socket = connect({
        port,
        host: 'localhost',
        ca,
        minVersion: 'TLSv1.3',
        ...(session && { session }),
      });
      onTestFinished(() => {
        socket.destroy();
      });
      const tickets: Buffer[] = [];
      socket.on('session', (ticket: Buffer) => tickets.push(ticket));
      let isReused = false;
      socket.on('secureConnect', () => {
        isReused = socket.isSessionReused();
      });
      socket.write(get(path));
      const answer = (await socket.toArray()).join('');
      return { answer, ticket: tickets.at(-1), isReused };
    };
    const first = await ask('/healthz');
    expect(first.answer).toMatch(/^HTTP\/1\.1 200 /);
    const resumed = await ask('/admin/api-keys', first.ticket);
    expect(resumed.isReused).toBe(true);
    expect(resumed.answer).toMatch(/^HTTP\/1\.1 403 /);
  });

  it('a body is not waited for when there is no certificate', async () => {
    const { ca } = as.nobody as Client;
    const socket = connect({ port: Number(new URL(setting.postern.url).port), host: 'localhost', ca });
    onTestFinished(() => {
      socket.destroy();
    });
    socket.write('POST /admin/api-keys HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n');
    expect((await socket.toArray()).join('')).toMatch(/^HTTP\/1\.1 403 /);
  });

  it('Check is answered to whoever has a certificate of the authority', async () => {
    expect(await grpc(CheckClient, setting.postern.check, as.stranger as Client, 'check')).toBe('OK');
  });

  it.each([
    ['deploy', 200, 201, 'OK'],
    ['auditor', 200, 403, 'OK'],
    ['tenant', 200, 201, 'OK'],
    ['stranger', 401, 401, 'UNAUTHENTICATED'],
  ])('%s may do by its certificate what the settings say', async (name, reads, writes, overGrpc) => {
    const client = as[name] as Client;
    const body = JSON.stringify({ name: 'made by a certificate' });
    expect((await rest(setting, client, '/admin/api-keys')).status).toBe(reads);
    expect((await rest(setting, client, '/admin/api-keys', { method: 'POST', body })).status).toBe(writes);
    expect(await grpc(AdminClient, setting.postern.admin, client, 'listOwners')).toBe(overGrpc);
  });

  it('one that may only read is told that its certificate lacks the permission, and no key', async () => {
    const body = JSON.stringify({ name: 'mine' });
    const { json } = await rest(setting, as.auditor as Client, '/admin/api-keys', { method: 'POST', body });
    expect(json.error?.message).toBe('The client certificate lacks admin:write.');
  });

  it('one that is bound to an owner makes and sees keys of that owner alone', async () => {
    const body = JSON.stringify({ name: 'of acme' });
    const made = await rest(setting, as.tenant as Client, '/admin/api-keys', { method: 'POST', body });
    expect(made.json.data?.owner).toBe('acme');
    const { json } = await rest(setting, as.tenant as Client, '/admin/api-keys');
    expect(new Set(json.data?.map(({ owner }) => owner))).toEqual(new Set(['acme']));
  });

  it('the journal names the certificate', async () => {
    const body = JSON.stringify({ name: 'one' });
    await rest(setting, as.deploy as Client, '/admin/api-keys', { method: 'POST', body });
    const { json } = await rest(
      setting,
      as.auditor as Client,
      '/admin/audit-events?page_size=1&action=CreateKey',
    );
    expect(json.data?.[0]).toMatchObject({ actor: `URI:${deploy.value}`, outcome: 'ok' });
  });

  it('an admin key that is shown counts, and a wrong one is not made good by the certificate', async () => {
    const headers = (key: string) => ({ headers: { authorization: `Bearer ${key}` } });
    expect((await rest(setting, as.stranger as Client, '/admin/api-keys', headers(adminKey))).status).toBe(
      200,
    );
    expect((await rest(setting, as.deploy as Client, '/admin/api-keys', headers('wrong'))).status).toBe(401);
  });
});

it('new files are taken over on SIGHUP without a connection lost, and wrong ones are not', async () => {
  const setting = await start(onTestFinished);
  const { postern, authority, server } = setting;
  const client = await clientOf(setting, await authority.issue([deploy]));
  const listeners = [
    postern.check,
    postern.admin,
    { ...postern.check, port: Number(new URL(postern.url).port) },
  ];
  const shown = () => Promise.all(listeners.map((listener) => certificateOf(listener, client)));
  const before = await shown();

  await writeFile(server.cert, 'rubbish');
  await postern.kill('SIGHUP');
  await until(postern.log, () => postern.log().match(/TLS stays as it was/g)?.length === 3);
  expect(await shown()).toEqual(before);

  const renewed = await authority.issue([localhost]);
  await copyFile(renewed.cert, server.cert);
  await copyFile(renewed.key, server.key);
  await postern.kill('SIGHUP');
  // Those who answer Checks take it over after the service.
  await until('each listener shows the new one, and all the same', async () => {
    const after = await shown();
    return new Set(after).size === 1 && after.every((serial) => !before.includes(serial));
  });
  expect(postern.log().match(/TLS was read again/g)).toHaveLength(3);
  expect((await rest(setting, client, '/admin/api-keys')).status).toBe(200);
});

/** The serial number of the certificate that a listener shows. */
function certificateOf({ port }: Address, client: Client): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: 'localhost', ALPNProtocols: ['h2', 'http/1.1'], ...client }, () => {
      const { serialNumber }: PeerCertificate = socket.getPeerCertificate();
      socket.destroy();
      resolve(serialNumber);
    });
    socket.on('error', reject);
  });
}
