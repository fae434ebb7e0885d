import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freePort } from '../../real/port.ts';
import { type Postern, startPostern } from '../../real/postern.ts';
import { until } from '../../real/until.ts';
import { repository } from '../image/image-tree.ts';
import { type ApiServer, startApiServer } from './api-server.ts';
import { objectsIn, type RunningController, startController } from './controller.ts';

/** Each of them as a Deployment uses it. */
const names = ['billing', 'search', 'mail'];
const lease = '/apis/coordination.k8s.io/v1/namespaces/postern/leases/postern-controller';

let folder: string;
let server: ApiServer;
let postern: Postern;
let settings: Record<string, string>;
let controllers: RunningController[];
let shop: ReturnType<typeof objectsIn>;
const loads: Load[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-faults-'));
  settings = {
    POSTERN_STORE: `sqlite:${join(folder, 'postern.db')}`,
    POSTERN_HTTP_LISTEN: `127.0.0.1:${await freePort()}`,
    POSTERN_HTTP_CHECK_LISTEN: '127.0.0.1:0',
  };
  [server, postern] = await Promise.all([startApiServer(), startPostern(settings)]);
  for (const name of ['namespace', 'controller']) {
    const yaml = await readFile(`${repository}deploy/kubernetes/${name}.yaml`, 'utf8');
    await server.apply(yaml, { namespace: 'postern' });
  }
  await server.apply('{ apiVersion: v1, kind: Namespace, metadata: { name: shop } }');
  const token = await server.tokenOf('postern', 'postern-controller');
  const kubeconfig = await server.kubeconfig({ token, namespace: 'postern' });
  controllers = [await startController(postern, kubeconfig), await startController(postern, kubeconfig)];
  shop = objectsIn(server, postern, 'shop');
  for (const name of names) {
    await shop.put(name, { secretName: `${name}-key`, rotateEvery: '3s', gracePeriod: '60s' });
  }
  for (const name of names) await shop.status(name, { ready: true });
  for (const name of names) loads.push(await startLoad(`${name}-key`));
}, 300_000);
afterAll(async () => {
  await Promise.all(loads.map((load) => load.stop()));
  for (const controller of controllers ?? []) await controller.remove();
  await postern?.stop();
  await server?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

it('three keys are rotated again and again under load, and no request is denied', async () => {
  await rotated(3);
  expect(denials()).toEqual([]);
});

it('of two controllers one works, and the other goes on when it is killed, with no request denied', async () => {
  const leader = await leading();
  await leader.kill('SIGKILL');
  await leader.exited;
  expect(await leading()).not.toBe(leader);

  await rotated(2);
  expect(denials()).toEqual([]);
});

it('an API server that is away and comes back has keys rotated again, with no request denied', async () => {
  await server.halt();
  await until('the controller has found out', () => {
    const last = controllers.find((one) => !one.hasExited());
    return /does not answer/.test(last?.log() ?? '');
  });
  const before = loads.map((load) => load.allowed());
  await until('requests go on meanwhile', () =>
    loads.every((load, at) => load.allowed() > (before[at] ?? 0) + 5),
  );
  await server.resume();

  await rotated(2);
  expect(denials()).toEqual([]);
});

it('an admin API that is away is said in the status, and what was asked for meanwhile is done later', async () => {
  await Promise.all(loads.map((load) => load.stop()));
  await postern.stop();
  await shop.put('later', { secretName: 'later-key' });
  const { conditions } = await shop.status('later', { ready: false, reason: 'PosternUnavailable' });
  expect(conditions[0]?.message).toContain('nobody listens there');
  for (const name of names) await shop.status(name, { ready: false, reason: 'PosternUnavailable' });

  postern = await startPostern(settings);
  for (const name of ['later', ...names]) await shop.status(name, { ready: true });
  expect(await shop.denial((await shop.secret('later-key')) ?? '')).toBeNull();
});

it('a controller that is asked to stop gives its lease up, so that the next need not wait', async () => {
  const [last] = controllers.filter((one) => !one.hasExited());
  await last?.kill('SIGTERM');
  expect(await last?.exited).toBe(0);
  expect(await holderOf()).toBe('');
});

/** The controller that runs and has the lease. */
async function leading(): Promise<RunningController> {
  return await until(
    'a controller leads',
    async () => {
      const holder = await holderOf();
      return controllers.find(
        (one) => !one.hasExited() && holder !== '' && one.log().includes(`"${holder}"`),
      );
    },
    { deadlineMs: 120_000 },
  );
}

function denials(): string[] {
  return loads.flatMap((load) => load.denied);
}

/** Waits until each load has used so many more keys. */
async function rotated(times: number): Promise<void> {
  const before = loads.map((load) => load.keys());
  await until(
    () => `each key was rotated ${times} times: ${loads.map((load) => load.keys())} since ${before}`,
    () => loads.every((load, at) => load.keys() >= (before[at] ?? 0) + times),
    { everyMs: 100 },
  );
}

async function holderOf(): Promise<string> {
  return (await server.call('GET', lease)).body.spec.holderIdentity;
}

interface Load {
  readonly denied: string[];
  allowed(): number;
  /** How many keys it has used. */
  keys(): number;
  stop(): Promise<void>;
}

/** A program that reads its Secret late, every so many requests, and asks for a Check each time. */
async function startLoad(secretName: string): Promise<Load> {
  const { host = '', port = 0 } = postern.httpCheck ?? {};
  const url = `http://${host}:${port}/check`;
  const keys = new Set<string>();
  const denied: string[] = [];
  let allowed = 0;
  let isStopped = false;
  let key = (await shop.secret(secretName)) ?? '';

  let count = 0;
  const ended = until(
    'the load is stopped',
    async () => {
      keys.add(key);
      const { status, headers } = await fetch(url, { headers: { authorization: `Bearer ${key}` } });
      if (status === 200) allowed++;
      else denied.push(`${secretName}: ${status} ${headers.get('www-authenticate')}, key ${keys.size}`);
      // Where the API server is away a mounted Secret stays as it was.
      if (++count % 20 === 0) key = (await shop.secret(secretName).catch(() => null)) ?? key;
      return isStopped;
    },
    { everyMs: 20, deadlineMs: 1_200_000 },
  );
  return {
    denied,
    allowed: () => allowed,
    keys: () => keys.size,
    async stop() {
      isStopped = true;
      await ended;
    },
  };
}
