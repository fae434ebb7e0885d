import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Postern, startPostern } from '../../real/postern.ts';
import { until } from '../../real/until.ts';
import { renderText } from '../chart/chart.ts';
import { manifestsIn } from '../schemas.ts';
import { type ApiServer, startApiServer } from './api-server.ts';
import { objectsIn, type RunningController, startController } from './controller.ts';
import { type HoldingProxy, startHoldingProxy } from './holding-proxy.ts';

const lease = '/apis/coordination.k8s.io/v1/namespaces/keys/leases/postern-controller';
const clusterPath = '/apis/postern.dev/v1alpha1';
const kinds = [
  'CustomResourceDefinition',
  ...['ServiceAccount', 'Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding'],
];

let server: ApiServer;
let postern: Postern;
let proxy: HoldingProxy;
let kubeconfig: string;
let shop: ReturnType<typeof objectsIn>;
let controller: RunningController;
const controllers: RunningController[] = [];

beforeAll(async () => {
  [server, postern] = await Promise.all([startApiServer(), startPostern({})]);
  proxy = await startHoldingProxy(postern.url);
  for (const name of ['keys', 'shop']) {
    await server.apply(JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }));
  }
  // The least rights: those of the chart for one namespace.
  const chart = manifestsIn(renderText({ controller: { enabled: true, namespace: 'shop' } }));
  for (const manifest of chart.filter(({ kind }) => kinds.includes(kind))) {
    await server.apply(JSON.stringify(manifest), { namespace: 'keys' });
  }
  const token = await server.tokenOf('keys', 'postern-controller');
  kubeconfig = await server.kubeconfig({ token, namespace: 'keys' });
  shop = objectsIn(server, postern, 'shop');
  controller = await started(['--listen', '127.0.0.1:0']);
}, 300_000);
afterAll(async () => {
  for (const one of controllers) await one.remove();
  await proxy?.stop();
  await postern?.stop();
  await server?.stop();
});

async function started(
  args: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): Promise<RunningController> {
  const one = await startController(proxy, kubeconfig, ['--namespace', 'shop', ...args], environment);
  controllers.push(one);
  return one;
}

/** Ends the one that leads, as a machine does that goes away, and lets the next one lead at once. */
async function killed(): Promise<void> {
  await controller.kill('SIGKILL');
  await controller.exited;
  await server.call('PATCH', lease, { spec: { holderIdentity: '' } });
}

describe('Events say', () => {
  it('that a key was made, rotated, made anew and revoked, and never the key', async () => {
    await shop.put('billing', { secretName: 'billing-key', gracePeriod: '1h' });
    const { keyId: first } = await shop.status('billing', { ready: true });
    const secrets = [await shop.secret('billing-key')];
    await server.call('DELETE', `${shop.secretsPath}/billing-key`);
    const { keyId: second } = await shop.status('billing', { ready: true, other: first });
    await shop.rest('DELETE', `/admin/api-keys/${second}`);
    const { keyId: third } = await shop.status('billing', { ready: true, other: second });
    secrets.push(await shop.secret('billing-key'));
    await server.call('DELETE', `${shop.keysPath}/billing`);

    const all = await told('shop', 'billing', ['KeyIssued', 'KeyRotated', 'KeyIssued', 'KeyRevoked']);
    expect(all.map(({ type }) => type)).toEqual(['Normal', 'Normal', 'Normal', 'Normal']);
    const [made, rotated, anew, revoked] = all.map(({ note }) => note);
    expect(made).toBe(`The Secret billing-key holds ${first}.`);
    expect(rotated).toContain(`holds ${second}, which replaced ${first}.`);
    expect(anew).toBe(`The Secret billing-key holds ${third}, made anew since ${second} has ended.`);
    expect(revoked).toContain(third);
    expect(revoked).toContain(first);
    for (const secret of secrets) {
      expect(secret).not.toBeNull();
      expect(JSON.stringify(all)).not.toContain(String(secret).slice(9));
    }
  });

  it('once what is refused, however often it is tried', async () => {
    await shop.put('odd', { secretName: 'odd-key', scheme: 'nobodys' });
    const tries = () => controller.log().split('"object":"apikeys/shop/odd"').length - 1;
    await until('it was tried three times', () => tries() >= 3);
    const [refused] = await told('shop', 'odd', ['PosternRefused']);
    expect(refused).toMatchObject({ type: 'Warning', action: 'Reconcile' });
    expect(refused?.note).toContain('scheme');
    await server.call('DELETE', `${shop.keysPath}/odd`);
  });

  it('what became of roles and owners, in the namespace default', async () => {
    await applied('ApiKeyRole', 'reader', { permissions: ['read:*'] });
    await applied('ApiKeyOwner', 'acme', { name: 'Acme' });
    await told('default', 'acme', ['OwnerPut']);
    await told('default', 'reader', ['RolePut']);
    await server.call('DELETE', `${clusterPath}/apikeyroles/reader`);
    await told('default', 'reader', ['RolePut', 'RoleDeleted']);
  });
});

it('another secretName is another Secret and another key, and the key of before has its grace', async () => {
  await shop.put('moved', { secretName: 'old-name', gracePeriod: '1h' });
  const { keyId: first } = await shop.status('moved', { ready: true });
  const before = String(await shop.secret('old-name'));

  await shop.put('moved', { secretName: 'new-name', gracePeriod: '1h' });
  const { keyId: second } = await shop.status('moved', { ready: true, other: first });
  expect(await keyIdOf('new-name')).toBe(second);
  expect(await shop.secret('old-name')).toBe(before);
  expect(await shop.denial(before)).toBeNull();
  expect(await endOf(first)).not.toBeNull();

  await shop.put('moved', { secretName: 'old-name', gracePeriod: '1h' });
  const { keyId: third } = await shop.status('moved', { ready: true, other: second });
  expect(await keyIdOf('old-name')).toBe(third);
});

it('--listen answers /healthz, /readyz and /metrics, and a port that is taken ends the command', async () => {
  const port = await until(
    'it listens',
    () => /"listen":"127\.0\.0\.1:(\d+)"/.exec(controller.log())?.[1] ?? false,
  );
  const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
  for (const path of ['/healthz', '/readyz']) {
    const answer = await get(path);
    expect([answer.status, await answer.json()]).toEqual([200, { status: 'ok' }]);
  }
  expect((await get('/')).status).toBe(404);
  await shop.put('counted', { secretName: 'counted-key' });
  await shop.put('miscounted', { secretName: 'miscounted-key', scheme: 'nobodys' });
  await until('both are counted', async () => {
    const text = await (await get('/metrics')).text();
    return (
      /^postern_controller_leading 1$/m.test(text) &&
      /^postern_controller_reconciles_total\{kind="ApiKey",result="ok"\} [1-9]/m.test(text) &&
      /^postern_controller_reconciles_total\{kind="ApiKey",result="failed"\} [1-9]/m.test(text)
    );
  });

  await server.call('DELETE', `${shop.keysPath}/miscounted`);

  const taken = await started(['--listen', `127.0.0.1:${port}`]);
  expect(await taken.exited).toBe(2);
  expect(taken.log()).toContain(`127.0.0.1:${port}`);
});

describe('a controller whose clock is a month', () => {
  it.each([
    ['ahead', 30],
    ['behind', -30],
  ])(
    '%s rotates when the service says that it is time, and gives the grace that was asked for',
    async (name, days) => {
      await killed();
      controller = await started([], { NODE_OPTIONS: `--import=${clockOff(days * 86_400_000)}` });
      const asked = { secretName: `${name}-key`, rotateEvery: '2h', gracePeriod: '1h' };
      await shop.put(name, asked);
      const { keyId: first } = await shop.status(name, { ready: true });
      await shop.put(name, { ...asked, labels: { looked: 'again' } });
      expect((await shop.status(name, { ready: true })).keyId).toBe(first);

      const since = Date.now();
      await server.call('DELETE', `${shop.secretsPath}/${name}-key`);
      await shop.status(name, { ready: true, other: first });
      const end = (await endOf(first)) ?? 0;
      expect(end).toBeGreaterThan(since + 3_600_000 - 1_000);
      expect(end).toBeLessThan(Date.now() + 3_600_000 + 5_000);
    },
  );

  function clockOff(ms: number): string {
    const code = `const Own = Date;
globalThis.Date = class extends Own {
  constructor(...of) { if (of.length === 0) super(Own.now() + ${ms}); else super(...of); }
  static now() { return Own.now() + ${ms}; }
};`;
    return `data:text/javascript,${encodeURIComponent(code)}`;
  }
});

describe('a controller that is killed', () => {
  const cases = [
    ['when it has made a key, before the Secret holds it', 'answer', 'POST', /^\/admin\/api-keys$/],
    ['when it has rotated a key, before the Secret holds the new one', 'answer', 'POST', /\/rotate$/],
    ['before the key of before has its grace', 'call', 'PATCH', /^\/admin\/api-keys\/key_/],
  ] as const;
  it.each(cases)('%s, leaves what the next one puts right, and nobody is denied', async (title, ...held) => {
    const [moment, method, path] = held;
    const next = await started();
    const name = `killed-${cases.findIndex(([of]) => of === title)}`;
    const asked = { secretName: `${name}-first`, gracePeriod: '1h' };
    let before: string | null = null;
    if (method === 'PATCH' || path.test('/rotate')) {
      await shop.put(name, asked);
      await shop.status(name, { ready: true });
      before = await shop.secret(`${name}-first`);
      expect(before).not.toBeNull();
    }
    const isHeld = proxy.hold(moment, (of, at) => of === method && path.test(at));
    await shop.put(name, { ...asked, secretName: `${name}-key` });
    await isHeld;
    await killed();
    controller = next;
    if (before !== null) expect(await shop.denial(before)).toBeNull();

    const { keyId } = await shop.status(name, { ready: true });
    expect(await keyIdOf(`${name}-key`)).toBe(keyId);
    if (before !== null) expect(await shop.denial(before)).toBeNull();
    const { body } = await shop.rest('GET', '/admin/api-keys?owner=shop&state=active&page_size=1000');
    const label = 'postern.dev/apikey';
    const left = body.data.filter(({ labels }: Labelled) => labels[label] === `shop/${name}`);
    for (const key of left) {
      if (key.id === keyId) expect(key.expires_at).toBeNull();
      else expect(Date.parse(key.expires_at)).toBeLessThan(Date.now() + 3_600_000 + 5_000);
    }
    expect(left.length).toBeGreaterThan(1);
  });
});

interface Labelled {
  readonly labels: Readonly<Record<string, string>>;
}

interface ClusterEvent {
  readonly type: string;
  readonly reason: string;
  readonly action: string;
  readonly note: string;
}

/** What was told of an object, oldest first, once it is these reasons and no others. */
async function told(namespace: string, name: string, reasons: readonly string[]): Promise<ClusterEvent[]> {
  let last: ClusterEvent[] = [];
  return await until(
    () => `the Events of ${name} are ${reasons}: ${JSON.stringify(last.map(({ reason }) => reason))}`,
    async () => {
      const { body } = await server.call('GET', `/apis/events.k8s.io/v1/namespaces/${namespace}/events`);
      type Item = ClusterEvent & {
        readonly regarding: { readonly name: string };
        readonly eventTime: string;
      };
      last = (body.items as Item[])
        .filter(({ regarding }) => regarding.name === name)
        .toSorted((one, other) => (one.eventTime < other.eventTime ? -1 : 1));
      return last.map(({ reason }) => reason).join() === reasons.join() ? last : undefined;
    },
    { everyMs: 100 },
  );
}

async function applied(kind: string, name: string, spec: Record<string, unknown>): Promise<void> {
  await server.apply(JSON.stringify({ apiVersion: 'postern.dev/v1alpha1', kind, metadata: { name }, spec }));
}

async function keyIdOf(secretName: string): Promise<string> {
  const key = await shop.secret(secretName);
  return (await shop.rest('POST', '/admin/api-keys:find', { key })).body.data.id;
}

/** When a key expires, in Unix milliseconds; null for never. */
async function endOf(id: string): Promise<number | null> {
  const { expires_at } = (await shop.rest('GET', `/admin/api-keys/${id}`)).body.data;
  return expires_at === null ? null : Date.parse(expires_at);
}
