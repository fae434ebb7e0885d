import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { Finding } from '../../../src/store/diagnosis/finding.ts';
import { postern } from '../../cli/console.ts';
import { type Envoy, shippedConfiguration, startEnvoy } from '../../real/envoy.ts';
import { type Case, cases, type Parts } from './doctor-envoy-cases.ts';

let envoy: Envoy;
let dump: string;
let folder: string;

// One Envoy has them all: each case is a listener, routes and a cluster of its name.
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-doctor-'));
  const configYaml = JSON.stringify(await broken(cases));
  envoy = await startEnvoy({ configYaml, asWritten: true });
  dump = await (await fetch(`${envoy.adminUrl}/config_dump`)).text();
});
afterAll(async () => {
  await envoy?.stop();
  await rm(folder, { recursive: true, force: true });
});

const doctor = async (source: string, text = '') => {
  const flags = ['--no-service', '--json', '--envoy', source];
  const { exitCode, stdout } = await postern(['doctor', ...flags], { stdin: text });
  return { exitCode, findings: JSON.parse(stdout).findings as Finding[] };
};
const short = ({ level, code }: Finding) => `${level} ${code}`;

describe('doctor, of a real Envoy', () => {
  let findings: Finding[];
  beforeAll(async () => {
    ({ findings } = await doctor(envoy.adminUrl));
  });

  it.each(cases)('finds in $name: $finds', ({ name, finds }) => {
    const own = findings.filter(({ where }) => where?.match(/[a-z][\w-]*-case\b/)?.[0] === `${name}-case`);
    expect(own.map(short)).toEqual(finds);
    for (const { level, cure } of own) expect(`${level}: ${cure}`).toMatch(/: .{5}/);
  });

  it('says of each finding where it is', () => {
    const names = cases.map(({ name }) => `${name}-case`);
    const misplaced = findings.filter(
      ({ where }) => ![...names, 'apart'].some((name) => where?.includes(name)),
    );
    expect(misplaced).toEqual([]);
    expect(findings.find(({ code }) => code === 'envoy.fail_open')?.where).toBe('listener fail-open-case');
    expect(findings.find(({ where }) => where?.includes('route-off-case'))?.where).toBe(
      'routes route-off-case, virtual host everything, route /public/',
    );
  });

  it('exits with 1, and reads the same from a file as from the admin endpoint', async () => {
    const piped = await doctor('-', dump);
    expect(piped).toEqual({ exitCode: 1, findings });
  });

  it('looks at routes that are told apart from their listener, and names the filter chain', () => {
    const own = findings.filter(({ where }) => where?.includes('apart'));
    expect(own.map(({ code, where }) => [code, where])).toEqual([
      ['envoy.route_disabled', 'routes apart, virtual host everything'],
      ['envoy.fail_open', 'listener apart, filter chain second'],
    ]);
  });

  it('says that it has not seen routes that are not in the dump', async () => {
    const without = JSON.parse(dump);
    for (const part of without.configs) delete part.dynamic_route_configs;
    const own = (await doctor('-', JSON.stringify(without))).findings.filter(
      ({ code }) => code === 'envoy.routes_unseen',
    );
    expect(own.map(({ where }) => where)).toEqual(['listener apart, filter chain first']);
  });

  it('finds the same in listeners and clusters that a control plane has sent', async () => {
    const sent = JSON.parse(dump);
    for (const part of sent.configs) {
      const { static_listeners: listeners, static_clusters: clusters } = part;
      for (const name of ['static_listeners', 'static_clusters']) delete part[name];
      if (clusters) part.dynamic_active_clusters = clusters;
      if (listeners) part.dynamic_listeners = listeners.map((state: object) => ({ active_state: state }));
    }
    expect((await doctor('-', JSON.stringify(sent))).findings).toEqual(findings);
  });

  it('reads the names that istioctl writes', async () => {
    const camel = dump.replaceAll(/"([a-z]+(?:_[a-z0-9]+)+)":/g, (_, name: string) => {
      return `"${name.replaceAll(/_([a-z0-9])/g, (__, letter: string) => letter.toUpperCase())}":`;
    });
    expect(camel).toContain('"failureModeAllow":');
    expect((await doctor('-', camel)).findings.map(short)).toEqual(findings.map(short));
  });

  it('finds an Envoy with known holes, and a cluster that is not there', async () => {
    const old = JSON.parse(dump);
    old.configs[0].bootstrap.node.user_agent_build_version.version = {
      major_number: 1,
      minor_number: 38,
      patch: 3,
    };
    const clusters = old.configs.find((part: object) => 'static_clusters' in part);
    clusters.static_clusters = clusters.static_clusters.filter(
      ({ cluster }: { cluster: { name: string } }) => cluster.name !== 'as-shipped-case',
    );
    const more = (await doctor('-', JSON.stringify(old))).findings.filter(
      (finding) => !findings.some(({ where }) => finding.where !== null && where === finding.where),
    );
    expect(more.map(short)).toEqual(['warning envoy.version', 'error envoy.cluster_missing']);
  });
});

describe('doctor, of the configuration that ships', () => {
  it('finds nothing', async () => {
    const yaml = await readFile(shippedConfiguration, 'utf8');
    expect(await doctor('-', yaml)).toEqual({ exitCode: 0, findings: [] });
  });
});

describe('doctor, of what is not a configuration of an Envoy with ext_authz,', () => {
  const http = (filters: object[]) => ({
    '@type': 'type.googleapis.com/x.HttpConnectionManager',
    http_filters: filters,
  });
  const listening = (filters: object[]) => ({
    static_resources: { listeners: [{ filter_chains: [{ filters: [{ typed_config: http(filters) }] }] }] },
  });
  it.each([
    ['nothing', '', 'envoy.not_read'],
    ['a broken dump', '{"configs": [', 'envoy.not_read'],
    ['a page of HTML', '<html>: {', 'envoy.not_read'],
    ['a number', '7', 'envoy.unreadable'],
    ['another JSON', '{"configs": {"a": 1}}', 'envoy.unreadable'],
    ['deep JSON', `${'['.repeat(200_000)}${']'.repeat(200_000)}`, 'envoy.unreadable'],
    ['deep rubbish', '['.repeat(200_000), 'envoy.not_read'],
    ['aliases of aliases', aliases(), 'envoy.not_read'],
    [
      'parts of other types',
      '{"configs": [null, 7, {"static_listeners": [null, 1, {"listener": []}]}]}',
      'envoy.no_listener',
    ],
    ['an Envoy with no listener', '{"static_resources": {}}', 'envoy.no_listener'],
    ['an Envoy without ext_authz', JSON.stringify(listening([{ name: 'a' }])), 'envoy.no_filter'],
    ['a dump of 65 MiB', ' '.repeat(65 * 2 ** 20), 'envoy.not_read'],
  ])('says so in a line, for %s', async (_, text, code) => {
    const { exitCode, findings } = await doctor('-', text);
    expect(exitCode).toBe(2);
    expect(findings.map(short)).toEqual([`error ${code}`]);
    expect(findings[0]?.what).toMatch(/^[^\n]{10,200}$/);
    expect(findings[0]?.cure).not.toBe('');
  });

  it('says so of a file that is not there, and of an address where nobody answers', async () => {
    for (const source of ['missing.json', 'http://127.0.0.1:1', 'http://user:password@127.0.0.1:1']) {
      const { exitCode, findings } = await doctor(source);
      expect({ exitCode, found: findings.map(short) }).toEqual({
        exitCode: 2,
        found: ['error envoy.not_read'],
      });
      expect(JSON.stringify(findings)).not.toContain('password');
    }
  });
});

function aliases(): string {
  const lines = Array.from({ length: 30 }, (_, at) => `a${at + 1}: &a${at + 1} [*a${at}, *a${at}]`);
  return ['a0: &a0 [1]', ...lines].join('\n');
}

async function broken(list: readonly Case[]): Promise<object> {
  const shipped = parse(await readFile(shippedConfiguration, 'utf8'));
  const { listeners, clusters } = shipped.static_resources;
  const made = list.map((one) => breakOne(structuredClone(listeners[0]), structuredClone(clusters[0]), one));
  return {
    node: { id: 'edge', cluster: 'edge' },
    admin: { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } },
    static_resources: {
      listeners: [...made.map(({ listener }) => listener), await apart(structuredClone(listeners[0]))],
      clusters: [clusters[1], ...made.map(({ cluster }) => cluster)],
    },
  };
}

/** Two filter chains: the routes of the first are in a file, the second fails open. */
async function apart(listener: Parts['listener']) {
  const [first] = listener.filter_chains;
  const second = structuredClone(first);
  const manager = first.filters[0].typed_config;
  const routes = { ...manager.route_config, name: 'apart' };
  routes.virtual_hosts[0].typed_per_filter_config = {
    'envoy.filters.http.ext_authz': {
      '@type': 'type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute',
      disabled: true,
    },
  };
  const path = join(folder, 'routes.json');
  const type = 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration';
  await writeFile(path, JSON.stringify({ resources: [{ '@type': type, ...routes }] }));
  delete manager.route_config;
  manager.rds = { route_config_name: 'apart', config_source: { path_config_source: { path } } };
  second.filters[0].typed_config.http_filters[0].typed_config.failure_mode_allow = true;
  for (const one of [first, second]) {
    one.filters[0].typed_config.http_filters[0].typed_config.grpc_service.envoy_grpc.cluster_name =
      'as-shipped-case';
  }
  Object.assign(first, { name: 'first', filter_chain_match: { destination_port: 1 } });
  Object.assign(second, { name: 'second' });
  listener.filter_chains = [first, second];
  listener.name = 'apart';
  listener.address.socket_address.port_value = 0;
  return listener;
}

function breakOne(listener: Parts['listener'], cluster: Parts['cluster'], { name, change }: Case) {
  const own = `${name}-case`;
  const manager = listener.filter_chains[0].filters[0].typed_config;
  const check = manager.http_filters[0].typed_config;
  listener.name = own;
  listener.address.socket_address.port_value = 0;
  manager.route_config.name = own;
  cluster.name = own;
  cluster.load_assignment.cluster_name = own;
  check.grpc_service.envoy_grpc.cluster_name = own;
  const [host] = manager.route_config.virtual_hosts;
  change({ listener, manager, check, filters: manager.http_filters, host, cluster });
  return { listener, cluster };
}
