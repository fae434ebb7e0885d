import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { postern } from '../console.ts';

const services = ['--upstream', 'orders.shop:8080', '--check', 'postern-check.postern:50051'];
const TARGETS = [
  ['envoy', []],
  ['istio', services],
  ['envoy-gateway', services],
  ['nginx', []],
  ['caddy', []],
  ['haproxy', []],
] as const;

it.each(TARGETS)('prints a configuration for %s with no place left to fill in', async (target, flags) => {
  const made = await postern(['init', target, ...flags]);

  expect(made).toMatchObject({ exitCode: 0, stderr: '' });
  expect(made.stdout).toMatch(/^# /);
  expect(made.stdout).not.toMatch(/<[a-z.]+>|undefined/);
  expect(made.stdout).toMatch(/\n$/);
});

it('gives Envoy the safe settings of the example that ships, and its one route asks for a key', async () => {
  const { stdout } = await postern(['init', 'envoy']);
  const example = parse(readFileSync(new URL('../../../deploy/envoy/envoy.yaml', import.meta.url), 'utf8'));
  const made = parse(stdout);
  const managerOf = (config: typeof made) =>
    config.static_resources.listeners[0].filter_chains[0].filters[0].typed_config;

  expect(managerOf(made).route_config.virtual_hosts[0].routes).toEqual([
    { match: { prefix: '/' }, route: { cluster: 'upstream' } },
  ]);
  managerOf(example).route_config = managerOf(made).route_config;
  example.static_resources.clusters[1].load_assignment = made.static_resources.clusters[1].load_assignment;
  expect(made).toEqual(example);
});

it.each(['nginx', 'caddy', 'haproxy'])(
  'says in a comment of %s which listener of Postern it asks',
  async (target) => {
    const flags = [
      '--upstream',
      'orders.internal:80',
      '--listen',
      '127.0.0.2:8081',
      '--check',
      '10.0.0.7:6000',
    ];
    const { stdout } = await postern(['init', target, ...flags]);
    const [, listen, header] =
      /^# *http_check: \{ listen: "(.*)", address_header: (.*) \}$/m.exec(stdout) ?? [];
    const lines = stdout
      .split('\n')
      .filter((line) => !line.trim().startsWith('#'))
      .join('\n');

    expect([listen, header]).toEqual(['10.0.0.7:6000', 'x-real-ip']);
    expect(lines).toContain('10.0.0.7:6000');
    expect(lines).toContain('orders.internal:80');
    expect(lines).toContain('8081');
    const { stdout: standard } = await postern(['init', target]);
    for (const address of ['127.0.0.1:9000', '127.0.0.1:10000', '127.0.0.1:50053'])
      expect(standard).toContain(address);
  },
);

it('has HAProxy load a script that is there, by its whole path', async () => {
  const { stdout } = await postern(['init', 'haproxy']);
  const [, script = ''] = /^ *lua-load (.*)$/m.exec(stdout) ?? [];

  expect(script).toMatch(/^\//);
  const text = readFileSync(script, 'utf8');
  expect(text).toBe(readFileSync(new URL('../../../deploy/haproxy/postern.lua', import.meta.url), 'utf8'));
});

it('puts the addresses that it is given where they belong', async () => {
  const flags = ['--upstream', 'orders.internal:80', '--listen', '[::1]:443', '--check', '10.0.0.7:6000'];
  const { stdout } = await postern(['init', 'envoy', ...flags]);
  const { listeners, clusters } = parse(stdout).static_resources;
  const endpointOf = (cluster: number) =>
    clusters[cluster].load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address;

  expect(listeners[0].address.socket_address).toEqual({ address: '::1', port_value: 443 });
  expect(endpointOf(0)).toEqual({ address: '10.0.0.7', port_value: 6000 });
  expect(endpointOf(1)).toEqual({ address: 'orders.internal', port_value: 80 });
});

it.each(['istio', 'envoy-gateway'])(
  'prints objects alone for %s, with what their comments promise',
  async (target) => {
    const { stdout } = await postern(['init', target, ...services]);
    const objects = parseAllDocuments(stdout).map((document) => document.toJS());

    for (const object of objects) {
      expect(object).toMatchObject({
        apiVersion: expect.stringMatching(/\/v/),
        metadata: { name: expect.any(String) },
      });
    }
    const text = JSON.stringify(objects);
    expect(text).toContain('"orders');
    expect(text).toContain('"postern-check');
    if (target === 'istio') {
      const comments = stdout
        .split('\n')
        .filter((line) => line.startsWith('#'))
        .join('\n');
      const provider = parse(
        comments
          .replaceAll(/^# {0,3}/gm, '')
          .replace(/^.*?(?=meshConfig:)/s, '')
          .replace(/\n\n.*$/s, ''),
      );
      expect(provider.meshConfig.extensionProviders[0].envoyExtAuthzGrpc).toMatchObject({
        service: 'postern-check.postern.svc.cluster.local',
        port: 50_051,
        failOpen: false,
        statusOnError: '503',
      });
    }
  },
);

it('grants Envoy Gateway the Service of Postern where the namespaces differ, and only there', async () => {
  const kinds = async (check: string) => {
    const { stdout } = await postern(['init', 'envoy-gateway', '--upstream', 'a.b:1', '--check', check]);
    return parseAllDocuments(stdout).map((document) => document.toJS().kind);
  };

  expect(await kinds('c.d:2')).toContain('ReferenceGrant');
  expect(await kinds('c.b:2')).not.toContain('ReferenceGrant');
});

it.each([
  ['an unknown target', ['envoi'], /unknown command 'envoi'\n\(Did you mean envoy\?\)/],
  ['an address without a port', ['envoy', '--upstream', 'localhost'], /HOST:PORT/],
  ['a port beyond the last', ['envoy', '--check', 'localhost:65536'], /HOST:PORT/],
  ['the port 0', ['envoy', '--listen', '127.0.0.1:0'], /HOST:PORT/],
  ['a name to listen on', ['envoy', '--listen', 'example.com:80'], /an IP address and a port/],
  ['an IPv4 address that is none', ['envoy', '--upstream', '300.1.1.1:80'], /HOST:PORT/],
  ['what would be configuration', ['envoy', '--upstream', 'a"}:80'], /HOST:PORT/],
  ['a socket', ['envoy', '--check', 'unix:/run/check.sock'], /HOST:PORT/],
  ['its own listener as upstream', ['envoy', '--upstream', '127.0.0.1:10000'], /where Envoy itself listens/],
  ['no Service', ['istio'], /required option '--upstream <service>'/],
  ['no Service of Postern', ['envoy-gateway', '--upstream', 'a.b:1'], /required option '--check <service>'/],
  [
    'a Service without a namespace',
    ['istio', '--upstream', 'a:1', '--check', 'b.c:1'],
    /NAME\.NAMESPACE:PORT/,
  ],
  [
    'an address in place of a Service',
    ['istio', '--upstream', '127.0.0.1:1', '--check', 'b.c:1'],
    /NAME\.NAMESPACE/,
  ],
  ['a listener of a mesh', ['istio', ...services, '--listen', '127.0.0.1:1'], /unknown option '--listen'/],
])('ends with 2 and prints nothing for %s', async (_, argv, message) => {
  const refused = await postern(['init', ...argv]);

  expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
  expect(refused.stderr).toMatch(message);
});

it('writes a file that is not there, and replaces one only by --force', async () => {
  const files: Record<string, string> = {};
  const write = (...more: string[]) => postern(['init', 'envoy', '--output', 'e.yaml', ...more], { files });

  expect(await write()).toEqual({ exitCode: 0, stdout: '', stderr: 'postern: wrote e.yaml\n' });
  const first = files['e.yaml'];
  const kept = await write('--upstream', '10.0.0.1:80');
  expect(kept).toMatchObject({ exitCode: 2, stdout: '' });
  expect(kept.stderr).toContain('e.yaml is there already');
  expect(files['e.yaml']).toBe(first);
  expect(await write('--upstream', '10.0.0.1:80', '--force')).toMatchObject({ exitCode: 0 });
  expect(files['e.yaml']).toContain('10.0.0.1');
});
