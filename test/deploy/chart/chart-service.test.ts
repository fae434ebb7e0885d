import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createAuthority } from '../../real/certificates.ts';
import { freshDatabase } from '../../real/mongod.ts';
import { type Postern, startPostern } from '../../real/postern.ts';
import { earlierThan } from '../../real/until.ts';
import { example, fileOf, one, podsOf, render, serverPod, settingsText, type Values } from './chart.ts';

const run = promisify(execFile);
const postern = fileURLToPath(new URL('../../../bin/postern.js', import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-chart-'));
});
const authorities: (() => Promise<void>)[] = [];
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  for (const remove of authorities) await remove();
});

/** What the Secrets of an operator hold, by the file that the chart mounts each as. */
const secrets = {
  store: 'mongodb://mongodb.example:27017/postern',
  adminKey: 'k'.repeat(32),
  peppers: `one:${randomBytes(32).toString('base64')}`,
  checksumKeys: `one:${randomBytes(32).toString('base64')}`,
  consoleSession: randomBytes(32).toString('base64'),
  webhookSecret: `whsec_${randomBytes(32).toString('base64')}`,
};

const tlsFolder = '/etc/postern/tls/';

/** What the Secret of the listeners' certificate holds. */
async function writeTls(folder: string): Promise<void> {
  const authority = await createAuthority((remove) => authorities.push(remove));
  const { cert, key } = await authority.issue([{ type: 'dns', value: 'postern' }]);
  await mkdir(folder, { recursive: true });
  await copyFile(cert, `${folder}tls.crt`);
  await copyFile(key, `${folder}tls.key`);
  await copyFile(authority.cert, `${folder}ca.crt`);
}

/** The environment of the pod, with its settings and secrets in files below the folder. */
async function environmentOf(values: Values, given = secrets): Promise<Record<string, string>> {
  const manifests = render(values);
  const root = await mkdtemp(join(folder, 'pod-'));
  const files = Object.entries(given).map(([name, text]) => [`/etc/postern/secrets/${name}`, text] as const);
  for (const [path, text] of [
    ...files,
    // The files of TLS are looked at as well, where the pod has them.
    [
      '/etc/postern/config/postern.yaml',
      settingsText(manifests).replaceAll(tlsFolder, root + tlsFolder),
    ] as const,
  ]) {
    await mkdir(dirname(root + path), { recursive: true });
    await writeFile(root + path, text);
  }
  await writeTls(root + tlsFolder);
  const variables = (serverPod(manifests).container.env ?? []).filter(({ name }) =>
    name.startsWith('POSTERN_'),
  );
  return Object.fromEntries(
    variables.map(({ name, value }) => [name, value === undefined ? 'postern-0' : root + value]),
  );
}

describe('the settings that the chart writes', () => {
  it.each(['the defaults', 'everything', 'sqlite', 'tls', 'sidecar'])(
    'are accepted by Postern: %s',
    async (name) => {
      const environment = await environmentOf(name === 'the defaults' ? {} : example(name));
      const { stdout, stderr } = await run(process.execPath, [postern, 'config', 'check'], {
        env: { PATH: process.env.PATH, ...environment },
      });
      expect(stdout + stderr).toMatch(/\bis valid\b/);
    },
  );

  it('are looked at, and not only read', async () => {
    const environment = await environmentOf({}, { ...secrets, peppers: 'none' });
    const checked = run(process.execPath, [postern, 'config', 'check'], {
      env: { PATH: process.env.PATH, ...environment },
    });
    await expect(checked).rejects.toMatchObject({ code: 2 });
  });
});

describe('a pod of the chart, on a real MongoDB', () => {
  let service: Postern;
  beforeAll(async () => {
    const { uri } = freshDatabase(inject('mongoUri'));
    const environment = await environmentOf({}, { ...secrets, store: uri });
    // The listeners take ports that are free here instead of the pod's own; the rest is the pod's.
    service = await startPostern({ ...environment, POSTERN_STORE: '', POSTERN_ADMIN_KEY: '' });
  });
  afterAll(() => service?.stop());

  it('lives and is ready where the probes ask', async () => {
    const { startupProbe, livenessProbe, readinessProbe } = serverPod(render()).container;
    for (const { httpGet } of [startupProbe, livenessProbe, readinessProbe]) {
      expect((await fetch(service.url + httpGet.path)).status).toBe(200);
    }
  });

  it('answers metrics where the ServiceMonitor asks, and admin calls with the key of the Secret', async () => {
    const { endpoints } = one(render(example('everything')), 'ServiceMonitor').spec as {
      endpoints: [{ path: string }];
    };
    expect(await (await fetch(service.url + endpoints[0].path)).text()).toContain('postern_build_info');
    const headers = { authorization: `Bearer ${secrets.adminKey}` };
    expect((await fetch(`${service.url}/admin/api-keys`, { headers })).status).toBe(200);
  });

  it('passes `helm test`, which fails where something does not answer', async () => {
    const manifests = render();
    const script = join(folder, 'reachable.mjs');
    await writeFile(script, fileOf(manifests, 'postern-test', 'reachable.mjs'));
    const asked = podsOf(one(manifests, 'Pod'))[0]?.spec.containers[0]?.args ?? [];
    expect(asked).toEqual([
      'http://postern.keys.svc:8080/readyz',
      'tcp://postern.keys.svc:50052',
      'tcp://postern-check.keys.svc:50051',
    ]);

    const { check, admin, url } = service;
    const [readyz, ...sockets] = [
      `${url}/readyz`,
      ...[admin, check].map(({ host, port }) => `tcp://${host}:${port}`),
    ];
    const test = (...addresses: string[]) => run(process.execPath, [script, ...addresses]);
    expect((await test(readyz, ...sockets)).stdout).toBe('everything answers\n');
    await expect(test(readyz, `tcp://127.0.0.1:${await closedPort()}`)).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('ECONNREFUSED'),
    });
    await expect(test(`${url}/nowhere`)).rejects.toMatchObject({ stderr: `${url}/nowhere answers 404\n` });
  });

  it('ends by itself within the time that the pod gives it', async () => {
    const { terminationGracePeriodSeconds } = serverPod(render()).spec;
    await service.kill('SIGTERM');
    expect(await earlierThan(terminationGracePeriodSeconds * 1_000, () => service.exited)).toBe(0);
  });
});

/** A port that nobody listens on. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
