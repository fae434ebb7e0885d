import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { until } from '../../real/until.ts';
import { example, renderText } from '../chart/chart.ts';
import { repository } from '../image/image-tree.ts';
import { customDefinitions } from '../schema-sources.ts';
import { manifestsIn } from '../schemas.ts';
import { helm } from '../tools.ts';
import { type ApiServer, startApiServer } from './api-server.ts';

const run = promisify(execFile);
const chart = `${repository}deploy/helm/postern`;
const crds = 'deploy/helm/postern/files/crds';
const read = (path: string) => readFileSync(repository + path, 'utf8');

/** All that is applied as it stands: what is neither values of a chart nor a file for a program. */
const FILES = ['kubernetes', 'meshes', 'secrets'].flatMap((folder) =>
  (readdirSync(`${repository}deploy/${folder}`, { recursive: true }) as string[])
    .filter((path) => path.endsWith('.yaml') && !/(?:values|mesh-config)\.yaml$/.test(path))
    .map((path) => `deploy/${folder}/${path}`)
    .sort(),
);

let server: ApiServer;
let scratch: string;

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'postern-cluster-'));
  server = await startApiServer();
  // As a controller makes it in a cluster; the chart's test is a Pod.
  await server.apply('{ apiVersion: v1, kind: ServiceAccount, metadata: { name: default } }');
  for (const name of readdirSync(`${chart}/files/crds`)) await server.apply(read(`${crds}/${name}`));
}, 600_000);
afterAll(async () => {
  await server?.stop();
  if (scratch) rmSync(scratch, { recursive: true, force: true });
});

describe('an API server with the definitions of every mesh, gateway and operator takes', () => {
  it.each(FILES)('%s', async (path) => {
    await taken(read(path));
  });

  it.each([
    ['a fleet', {}],
    ['the controller', { controller: { enabled: true } }],
    ['the controller of one namespace', { controller: { enabled: true, namespace: 'shop' } }],
    ['everything', example('everything')],
    ['a sidecar', example('sidecar')],
    ['SQLite', example('sqlite')],
    ['TLS', example('tls')],
  ])('what the chart makes for %s', async (_, values) => {
    await taken(renderText(values));
  });

  it.each(['istio', 'envoy-gateway'])('what postern init %s prints', async (target) => {
    const services = ['--upstream', 'orders.shop:8080', '--check', 'postern-check.postern:50051'];
    const { stdout } = await run(process.execPath, [
      `${repository}bin/postern.js`,
      'init',
      target,
      ...services,
    ]);
    await taken(stdout);
  });

  it('no field that it does not know, and nothing that a rule of a definition forbids', async () => {
    const route = (spec: object) =>
      JSON.stringify({
        apiVersion: 'gateway.networking.k8s.io/v1',
        kind: 'HTTPRoute',
        metadata: { name: 'odd' },
        spec,
      });
    const filter = { type: 'RequestRedirect', requestHeaderModifier: { remove: ['x'] } };
    await expect(taken(route({ rules: [{ filters: [filter] }] }))).rejects.toThrow(
      'filter.requestHeaderModifier must be nil',
    );
    await expect(taken(route({ ruls: [] }))).rejects.toThrow('ruls');
  });
});

describe('by the real helm the chart', () => {
  const namespace = 'released';

  async function release(action: string, ...args: string[]): Promise<string> {
    const kubeconfig = await server.kubeconfig({ namespace });
    const { stdout } = await run(await helm(), [action, 'postern', ...args, '--namespace', namespace], {
      env: { ...process.env, KUBECONFIG: kubeconfig, HOME: scratch },
      maxBuffer: 64 * 1024 * 1024,
    });
    return stdout;
  }
  const replicas = async (name: string) =>
    (await server.call('GET', `/apis/apps/v1/namespaces/${namespace}/deployments/${name}`)).body.spec
      ?.replicas;
  const apiKey = async () =>
    (await server.call('GET', `/apis/postern.dev/v1alpha1/namespaces/${namespace}/apikeys/kept`)).body;

  it('is installed, upgraded over a change of its values and definitions, rolled back and uninstalled', async () => {
    for (const name of ['apikeys', 'apikeyowners', 'apikeyroles']) {
      const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}.postern.dev`;
      await server.call('DELETE', path);
      // Its end comes after the answer, and one that is ending cannot be made again.
      await until(`${name} is gone`, async () => (await server.call('GET', path)).status === 404);
    }
    const before = olderChart();
    await release('install', before, '--create-namespace', '--set', 'controller.enabled=true');
    expect(await replicas('postern')).toBe(3);
    await server.apply(keptKey(), { namespace });
    expect((await apiKey()).spec.gracePeriod).toBeUndefined();

    await release('upgrade', chart, '--reuse-values', '--set', 'replicas=5');
    expect(await replicas('postern')).toBe(5);
    expect(await replicas('postern-controller')).toBe(2);
    expect((await apiKey()).spec.gracePeriod).toBe('24h');

    await release('rollback', '1');
    expect(await replicas('postern')).toBe(3);
    expect((await apiKey()).spec.secretName).toBe('kept-key');
    await release('upgrade', chart, '--set', 'controller.enabled=true');
    expect((await apiKey()).spec.gracePeriod).toBe('24h');

    await release('uninstall');
    expect(await replicas('postern')).toBeUndefined();
    // What keys are made of stays: without it every one would be revoked.
    expect((await apiKey()).spec.secretName).toBe('kept-key');
  });

  function keptKey(): string {
    return JSON.stringify({
      apiVersion: 'postern.dev/v1alpha1',
      kind: 'ApiKey',
      metadata: { name: 'kept' },
      spec: { secretName: 'kept-key' },
    });
  }

  /** The chart before ApiKeys had a grace period, and before the controller had a number of replicas. */
  function olderChart(): string {
    const folder = join(scratch, 'older');
    cpSync(chart, folder, { recursive: true });
    const definition = readFileSync(`${folder}/files/crds/apikeys.yaml`, 'utf8');
    const older = definition.replace(/^ {16}gracePeriod:\n(?: {18,}.*\n)+/m, '');
    expect(older.length).toBeLessThan(definition.length);
    writeFileSync(`${folder}/files/crds/apikeys.yaml`, older);
    return folder;
  }
});

describe('the example of a policy about ApiKeys', () => {
  const apiKeys = '/apis/postern.dev/v1alpha1/namespaces/tenant/apikeys';
  let token: string;

  beforeAll(async () => {
    await server.apply(`
apiVersion: v1
kind: Namespace
metadata:
  name: tenant
  annotations: { postern.dev/owners: "acme globex", postern.dev/roles: reader, postern.dev/permissions: "read:a read:b" }
---
{ apiVersion: v1, kind: ServiceAccount, metadata: { name: team, namespace: tenant } }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: team }
rules:
  - { apiGroups: [postern.dev], resources: [apikeys], verbs: [create, patch] }
  - { apiGroups: [postern.dev], resources: [apikeyowners], verbs: [use], resourceNames: [initech] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: team }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: team }
subjects: [{ kind: ServiceAccount, name: team, namespace: tenant }]`);
    token = await server.tokenOf('tenant', 'team');
    await until('the rights hold', async () => (await said({ owner: 'hooli' })) === 'taken');
    expect((await create('before', { owner: 'hooli' })).status).toBe(201);
    await server.apply(read('deploy/kubernetes/policy.yaml'));
    await until('the policy holds', async () => (await said({ owner: 'hooli' })) !== 'taken');
  });
  afterAll(async () => {
    const base = '/apis/admissionregistration.k8s.io/v1';
    for (const kind of ['validatingadmissionpolicybindings', 'validatingadmissionpolicies']) {
      await server.call('DELETE', `${base}/${kind}/apikeys.postern.dev`);
    }
  });

  it.each([
    ['no owner', {}],
    ['its own namespace', { owner: 'tenant' }],
    ['an owner of the annotation', { owner: 'globex' }],
    ['an owner that its user may use', { owner: 'initech' }],
    ['roles and permissions of the annotations', { roles: ['reader'], permissions: ['read:b', 'read:a'] }],
  ])('takes one that names %s', async (_, spec) => {
    expect(await said(spec)).toBe('taken');
  });

  it.each([
    ['another owner', { owner: 'hooli' }, 'this namespace may not name the owner hooli'],
    ['a part of a name', { owner: 'glob' }, 'this namespace may not name the owner glob'],
    ['another role', { roles: ['reader', 'writer'] }, 'the roles of its annotation postern.dev/roles'],
    ['another permission', { permissions: ['read:*'] }, 'the permissions of its annotation'],
  ])('refuses one that names %s', async (_, spec, why) => {
    expect(await said(spec)).toContain(why);
  });

  it('lets the controller go on with what was there before, and nobody change it to another', async () => {
    const path = `${apiKeys}/before`;
    const finalized = { metadata: { finalizers: ['postern.dev/revoke'] } };
    expect((await server.call('PATCH', path, finalized, { token })).status).toBe(200);
    const changed = await server.call('PATCH', path, { spec: { gracePeriod: '1h' } }, { token });
    expect(changed.body.message).toContain('this namespace may not name the owner hooli');
    expect((await server.call('PATCH', path, { metadata: { finalizers: null } }, { token })).status).toBe(
      200,
    );
  });

  const create = (name: string, spec: object, query = '') =>
    server.call(
      'POST',
      apiKeys + query,
      {
        apiVersion: 'postern.dev/v1alpha1',
        kind: 'ApiKey',
        metadata: { name },
        spec: { secretName: 'tenant-key', ...spec },
      },
      { token },
    );

  /** What is said to an ApiKey of this spec. */
  async function said(spec: object): Promise<string> {
    const { status, body } = await create('tried', spec, '?dryRun=All');
    return status === 201 ? 'taken' : body.message;
  }
});

interface Definition {
  readonly spec: { readonly group: string; readonly names: { readonly kind: string } };
}

const definitions = customDefinitions() as readonly Definition[];
const defined = new Set<Definition>();

/** Lets the server know a kind that is not its own. */
async function define({ apiVersion, kind }: { apiVersion: string; kind: string }): Promise<void> {
  const definition = definitions.find(
    ({ spec }) => apiVersion.startsWith(`${spec.group}/`) && spec.names.kind === kind,
  );
  if (definition === undefined || defined.has(definition)) return;
  defined.add(definition);
  await server.apply(
    JSON.stringify(definition.spec.group.includes('kgateway') ? bounded(definition) : definition),
  );
}

/** kgateway has rules about texts of any length, which this API server takes for too costly. */
function bounded(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(bounded);
  if (typeof node !== 'object' || node === null) return node;
  const schema = Object.fromEntries(Object.entries(node).map(([name, value]) => [name, bounded(value)]));
  const isJudged = schema.type === 'string' && 'x-kubernetes-validations' in schema;
  return isJudged ? { maxLength: 64, ...schema } : schema;
}

/** Each document by itself, in namespaces that are there; throws what the server says. */
async function taken(yaml: string): Promise<void> {
  const documents = parseAllDocuments(yaml).flatMap((document) => document.toJS() ?? []);
  expect(documents.length).toBeGreaterThan(0);
  const namespaces = documents.flatMap(({ metadata }) => metadata.namespace ?? []);
  for (const name of new Set(namespaces)) {
    await server.apply(JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }));
  }
  for (const document of manifestsIn(yaml)) {
    await define(document);
    await server.apply(JSON.stringify(document), { isDryRun: true });
  }
}
