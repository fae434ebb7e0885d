import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { configureEnvoy, type EnvoySettings } from '../../../deploy/envoy/configure.ts';
import { findEnvoy } from '../../real/binary.ts';
import { type Authority, createAuthority } from '../../real/certificates.ts';
import { type Running, start } from '../../real/child.ts';
import { type Echo, startEcho } from '../../real/echo.ts';
import { patient } from '../../real/patient.ts';
import type { Postern } from '../../real/postern.ts';
import { until } from '../../real/until.ts';
import { startConfigured } from '../routes.ts';
import { admin, type MadeKey, makeKey, send } from '../stack.ts';
import { unknownKey } from '../unknown-key.ts';

const examples = new URL('../../../deploy/envoy/', import.meta.url);
const EXAMPLES = ['envoy.yaml', 'envoy-tls.yaml', 'envoy-unix.yaml'] as const;
const socketPath = '/run/postern/check.sock';
const serverName = 'postern.example.internal';

/** Where an Envoy finds its files, and where those of `/etc/envoy` and the socket of the examples are. */
let folder: string;
let authority: Authority;
let echo: Echo;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pst-'));
  authority = await createAuthority(afterAll);
  echo = await startEcho();
  await installCertificate(authority);
  for (const name of ['sds-identity.yaml', 'sds-authority.yaml']) await install(name);
});

afterAll(async () => {
  await echo.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Puts an example's text into the folder, with this folder's paths instead of a real machine's. */
async function install(name: string, change = (text: string) => text): Promise<string> {
  const text = await readFile(new URL(name, examples), 'utf8');
  const path = join(folder, name);
  await writeFile(path, change(text).replaceAll('/etc/envoy/', `${folder}/`));
  return path;
}

async function installCertificate(signer: Authority): Promise<void> {
  const files = await signer.issue([{ type: 'dns', value: 'envoy.example.internal' }]);
  await mkdir(join(folder, 'tls'), { recursive: true });
  await copyFile(files.cert, join(folder, 'tls/tls.crt'));
  await copyFile(files.key, join(folder, 'tls/tls.key'));
  await copyFile(authority.cert, join(folder, 'tls/ca.crt'));
}

interface Proxy {
  readonly url: string;
  /** Its own log and its access log. */
  log(): string;
  stop(): Promise<void>;
}

/** Starts Envoy on an example and returns when it is ready. */
async function startExample(name: string, settings: EnvoySettings = {}): Promise<Proxy> {
  const ports = { listenPort: 0, adminPort: 0, upstreamAddress: echo.address, checkTimeoutMs: 15_000 };
  const config = await install(name, (text) =>
    patient(configureEnvoy(text, { ...ports, ...settings })).replaceAll(
      socketPath,
      join(folder, 'check.sock'),
    ),
  );
  const adminFile = join(folder, 'admin');
  await rm(adminFile, { force: true });
  const quick = [
    '--disable-hot-restart',
    '--concurrency',
    '1',
    '--file-flush-interval-msec',
    '50',
    '-l',
    'warning',
  ];
  const args = ['-c', config, '--admin-address-path', adminFile, ...quick];
  const envoy = await start(await findEnvoy(), args, folder);
  try {
    const url = await until(
      () => `Envoy is ready\n${envoy.log()}`,
      () => listenerAt(envoy, adminFile),
    );
    return { url, log: envoy.log, stop: envoy.stop };
  } catch (error) {
    await envoy.stop();
    throw error;
  }
}

async function listenerAt(envoy: Running, adminFile: string): Promise<string | undefined> {
  if (envoy.hasExited()) throw new Error(`Envoy did not start\n${envoy.log()}`);
  const admin = await readFile(adminFile, 'utf8').catch(() => '');
  const ready = admin ? await fetch(`http://${admin}/ready`).catch(() => undefined) : undefined;
  if (!ready?.ok) return undefined;
  const listeners = await (await fetch(`http://${admin}/listeners`)).text();
  return `http://${listeners.trim().replace('edge::', '')}`;
}

async function verdicts({ url }: Proxy, { key }: MadeKey): Promise<number[]> {
  const statuses: number[] = [];
  for (const presented of [key, unknownKey(), undefined]) {
    const headers = presented === undefined ? [] : ([['authorization', `Bearer ${presented}`]] as const);
    statuses.push((await send(url, '/orders', headers)).status);
  }
  return statuses;
}

interface Connected {
  readonly static_resources: { readonly listeners: unknown; readonly clusters: { readonly name: string }[] };
  readonly admin: unknown;
}

/** The file without its routes and without the cluster of Postern. */
async function besidesTheConnection(name: string): Promise<unknown> {
  const text = await readFile(new URL(name, examples), 'utf8');
  const { admin, static_resources } = parse(text, (key, value) =>
    key === 'routes' ? undefined : value,
  ) as Connected;
  const { listeners, clusters } = static_resources;
  return { admin, listeners, clusters: clusters.filter((cluster) => cluster.name !== 'postern') };
}

describe.each(EXAMPLES)('%s', (name) => {
  it('is accepted by Envoy', async () => {
    const envoy = await start(
      await findEnvoy(),
      ['--mode', 'validate', '-l', 'warning', '-c', await install(name)],
      folder,
    );
    expect(await envoy.exited, envoy.log()).toBe(0);
  });

  it('says in so many words that it fails closed, and how long a Check may take', async () => {
    const text = await readFile(new URL(name, examples), 'utf8');
    expect(text).toMatch(/^ +failure_mode_allow: false$/m);
    expect(text).toMatch(/^ +status_on_error: \{ code: ServiceUnavailable \}$/m);
    expect(text).toMatch(/^ +envoy_grpc: \{ cluster_name: postern \}\n(?: +#.*\n)* +timeout: 0\.5s$/m);
  });

  it('is envoy.yaml but for its routes and how Postern is reached', async () => {
    expect(await besidesTheConnection(name)).toEqual(await besidesTheConnection('envoy.yaml'));
  });
});

describe('over a Unix socket', () => {
  let postern: Postern;
  let proxy: Proxy;
  let made: MadeKey;

  beforeAll(async () => {
    const listen = `unix:${join(folder, 'check.sock')}`;
    postern = await startConfigured('check: { store_timeout: 5s }\n', { POSTERN_CHECK_LISTEN: listen });
    made = await makeKey(postern, { owner: 'acme' });
    proxy = await startExample('envoy-unix.yaml');
  });
  afterAll(() => Promise.all([proxy.stop(), postern.stop()]));

  it('lets a good key in, and keeps others out', async () => {
    expect(await verdicts(proxy, made)).toEqual([200, 401, 401]);
  });

  it("hands the client's trace context on to the upstream", async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const { upstream } = await send(proxy.url, '/orders', [
      ['authorization', `Bearer ${made.key}`],
      ['traceparent', traceparent],
    ]);
    expect(upstream?.headers.traceparent).toEqual([traceparent]);
  });

  it('logs who was allowed and why someone was not, and no key', async () => {
    const revoked = await makeKey(postern);
    await admin(postern, 'DELETE', `/admin/api-keys/${revoked.id}`);
    for (const { key } of [made, revoked]) {
      await send(proxy.url, `/log?key=${key}`, [['authorization', `Bearer ${key}`]]);
    }
    const log = await until(
      () => `two lines of the access log\n${proxy.log()}`,
      () => (proxy.log().match(/^{.*"path":"\/log".*}$/gm)?.length === 2 ? proxy.log() : undefined),
    );
    const lines = log.match(/^{.*"path":"\/log".*}$/gm)?.map((line) => JSON.parse(line));
    expect(lines).toEqual([
      expect.objectContaining({ status: 200, key_id: made.id, owner: 'acme', reason: null }),
      expect.objectContaining({ status: 401, key_id: revoked.id, reason: 'revoked' }),
    ]);
    for (const { key } of [made, revoked]) expect(log).not.toContain(key.slice(-20));
  });
});

describe('over mutual TLS', () => {
  let postern: Postern;
  let made: MadeKey;

  beforeAll(async () => {
    const server = await authority.issue([{ type: 'dns', value: serverName }]);
    const tls = JSON.stringify({ ...server, client_ca: authority.cert });
    postern = await startConfigured(`check: { tls: ${tls}, store_timeout: 5s }\n`);
    made = await makeKey(postern);
  });
  afterAll(() => postern.stop());

  async function statuses(): Promise<number[]> {
    const proxy = await startExample('envoy-tls.yaml', { checkAddress: postern.check });
    try {
      return await verdicts(proxy, made);
    } finally {
      await proxy.stop();
    }
  }

  it('lets a good key in, and keeps others out', async () => {
    expect(await statuses()).toEqual([200, 401, 401]);
  });

  it('asks no server but one with the name of Postern', async () => {
    await install('sds-authority.yaml', (text) => text.replace(serverName, 'other.example.internal'));
    onTestFinished(async () => {
      await install('sds-authority.yaml');
    });
    expect(await statuses()).toEqual([503, 503, 503]);
  });

  it('is not served without a certificate of its own that Postern trusts', async () => {
    await installCertificate(await createAuthority());
    onTestFinished(() => installCertificate(authority));
    expect(await statuses()).toEqual([503, 503, 503]);
  });
});
