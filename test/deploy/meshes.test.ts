import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { output } from './fetched.ts';
import { type Manifest, manifestsIn, problemsIn } from './schemas.ts';
import { helm } from './tools.ts';

const folder = fileURLToPath(new URL('../../deploy/meshes/', import.meta.url));
const chart = fileURLToPath(new URL('../../deploy/helm/postern/', import.meta.url));
const bin = fileURLToPath(new URL('../../bin/postern.js', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'postern-meshes-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Values of a chart are no manifests. */
const VALUES = ['gateway-api/values.yaml', 'istio/values.yaml'] as const;
const MESH_CONFIG = 'istio/mesh-config.yaml';
const MANIFESTS = (readdirSync(folder, { recursive: true }) as string[])
  .filter(
    (path) => path.endsWith('.yaml') && path !== MESH_CONFIG && !(VALUES as readonly string[]).includes(path),
  )
  .sort();

const read = (path: string): string => readFileSync(join(folder, path), 'utf8');
const all = (): Manifest[] => MANIFESTS.flatMap((path) => manifestsIn(read(path)));

interface Provider {
  readonly name: string;
  readonly envoyExtAuthzGrpc?: Readonly<Record<string, unknown>>;
  readonly envoyFileAccessLog?: { readonly logFormat: { readonly labels: Readonly<Record<string, string>> } };
}

function providers(): readonly Provider[] {
  return parse(read(MESH_CONFIG)).meshConfig.extensionProviders;
}

/** Everything with this name, wherever it stands. */
function found(value: unknown, name: string): unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [
    ...(key === name ? [inner] : []),
    ...found(inner, name),
  ]);
}

/** What the chart makes when it is installed as the examples have it. */
async function installed(values?: string): Promise<Manifest[]> {
  const from = values ? ['--values', join(folder, values)] : [];
  const args = ['template', 'postern', chart, '--namespace', 'postern', '--kube-version', '1.34.0', ...from];
  return manifestsIn(await output(await helm(), args)).filter((manifest) => manifest);
}

interface Port {
  readonly name: string;
  readonly port: number;
  readonly targetPort: string | number;
}

interface ServiceSpec {
  readonly clusterIP?: string;
  readonly selector: Readonly<Record<string, string>>;
  readonly ports: readonly Port[];
}

const serviceOf = (manifests: readonly Manifest[], name: string): ServiceSpec =>
  manifests.find(({ kind, metadata }) => kind === 'Service' && metadata.name === name)?.spec as ServiceSpec;

describe('the examples of meshes', () => {
  it.each(MANIFESTS)('%s holds documents that are valid by their published schemas', (path) => {
    expect(problemsIn(read(path))).toEqual([]);
  });

  it.each(['istio', 'envoy-gateway'])(
    'are like what postern init %s prints, valid by the same schemas',
    (target) => {
      const services = ['--upstream', 'orders.shop:8080', '--check', 'postern-mesh.postern:50051'];
      const printed = spawnSync(process.execPath, [bin, 'init', target, ...services], { encoding: 'utf8' });

      expect(printed.stderr).toBe('');
      expect(problemsIn(printed.stdout)).toEqual([]);
      expect(manifestsIn(printed.stdout).length).toBeGreaterThan(2);
    },
  );

  it('fail closed, in so many words, wherever there is a field for it', () => {
    for (const { kind, spec } of all()) {
      const asked = found(spec, 'extAuth').filter((policy) => found(policy, 'extensionRef').length === 0);
      for (const policy of asked) expect(policy, kind).toMatchObject({ failOpen: false, statusOnError: 503 });
    }
    expect(all().flatMap(({ spec }) => found(spec, 'failOpen'))).toHaveLength(4);
    expect(providers().find(({ name }) => name === 'postern')?.envoyExtAuthzGrpc).toMatchObject({
      ...{ failOpen: false, statusOnError: '503', timeout: '0.5s' },
    });
  });

  it('give the filter of Gateway API the member that a rule beyond its schema asks for', () => {
    const filters = all().flatMap(({ spec }) => found(spec, 'externalAuth'));
    expect(filters).toEqual([expect.objectContaining({ protocol: 'GRPC', grpc: {} })]);
  });

  it('say how long a Check may take, wherever there is a field for it', () => {
    for (const { kind, spec } of all()) {
      const { extAuth } = spec as { extAuth?: Record<string, unknown> };
      if (kind === 'SecurityPolicy') expect(extAuth?.timeout).toBe('500ms');
      if (kind === 'GatewayExtension')
        expect(extAuth?.grpcService).toMatchObject({ requestTimeout: '500ms' });
    }
  });

  it('ask the Service of the chart for Checks', async () => {
    const check = serviceOf(await installed('gateway-api/values.yaml'), 'postern-check');
    expect(check).toMatchObject({ clusterIP: 'None', ports: [{ port: 50051 }] });
    const references = all().flatMap(({ spec }) =>
      [...found(spec, 'backendRefs'), ...found(spec, 'backendRef')]
        .flat()
        .filter((reference) => (reference as { namespace?: string }).namespace === 'postern'),
    );
    expect(references).toHaveLength(5);
    for (const reference of references) {
      expect(reference).toEqual({ name: 'postern-check', namespace: 'postern', port: 50051 });
    }
    const granted = all().filter(({ kind }) => kind === 'ReferenceGrant');
    for (const { spec } of granted)
      expect(found(spec, 'to')).toEqual([[{ group: '', kind: 'Service', name: 'postern-check' }]]);
    expect(granted).toHaveLength(3);
  });

  it("give Istio a Service with an address of its own, which selects the chart's pods", async () => {
    const mesh = serviceOf(manifestsIn(read('istio/service.yaml')), 'postern-mesh');
    const check = serviceOf(await installed('istio/values.yaml'), 'postern-check');
    expect(mesh.selector).toEqual(check.selector);
    expect(mesh.clusterIP).toBeUndefined();
    expect(mesh.ports[0]?.targetPort).toBe(check.ports[0]?.targetPort);
    const host = 'postern-mesh.postern.svc.cluster.local';
    expect(manifestsIn(read('istio/service.yaml'))[1]).toMatchObject({
      kind: 'DestinationRule',
      spec: { host },
    });
    const provider = providers().find(({ name }) => name === 'postern')?.envoyExtAuthzGrpc;
    expect(provider).toMatchObject({ service: host, port: mesh.ports[0]?.port });
  });

  it('name providers of the mesh that there are', () => {
    const names = providers().map(({ name }) => name);
    const named = all().flatMap(({ spec }) => [
      ...found(spec, 'provider').map((provider) => (provider as Provider).name),
      ...found(spec, 'providers').flatMap((list) => (list as Provider[]).map(({ name }) => name)),
    ]);
    expect(new Set(named)).toEqual(new Set(names));
  });

  it('log the same of each request everywhere, and no header that a client writes', () => {
    const [shipped] = found(parse(readFileSync(join(folder, '../envoy/envoy.yaml'), 'utf8')), 'json_format');
    const logged = [
      ...all().flatMap(({ spec }) => [...found(spec, 'jsonFormat'), ...found(spec, 'json')]),
      ...providers().flatMap(({ envoyFileAccessLog }) =>
        envoyFileAccessLog ? [envoyFileAccessLog.logFormat.labels] : [],
      ),
    ];
    expect(logged).toEqual([shipped, shipped, shipped]);
    expect(JSON.stringify(shipped).match(/%REQ\([^)]*\)%/g)).toEqual(['%REQ(:METHOD)%']);
  });

  it.each(VALUES)('%s makes settings that postern takes, as they are and in the chart', async (path) => {
    const config = join(scratch, path.replace('/', '-'));
    writeFileSync(config, stringify(parse(read(path)).config));
    const inChart = (await installed(path)).find(({ kind }) => kind === 'ConfigMap')?.data as Record<
      string,
      string
    >;
    const [settings = ''] = Object.values(inChart);
    writeFileSync(`${config}.chart`, settings);
    for (const file of [config, `${config}.chart`]) {
      const { status, stdout, stderr } = spawnSync(process.execPath, [bin, 'config', 'check', file], {
        env: { PATH: process.env.PATH },
        encoding: 'utf8',
      });
      expect(status, stdout + stderr).toBe(0);
    }
    expect(parse(settings).rules).toEqual(parse(read(path)).config.rules);
  });
});
