import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { envoyConfig } from '../../../deploy/compose/envoy-config.ts';
import { makeSecrets } from '../../../deploy/compose/secrets.ts';
import { shippedConfiguration, validateEnvoy } from '../../real/envoy.ts';
import { composeProblems, readCompose } from './compose-file.ts';
import { type ComposeStack, startCompose } from './compose-stack.ts';
import { repository } from './image-tree.ts';

const run = promisify(execFile);
const file = readCompose();
const services = Object.entries(file.services);

describe('docker-compose.yml', () => {
  it('is what the compose specification says, whose schema finds what is wrong', async () => {
    expect(await composeProblems(file)).toEqual([]);
    const broken = { ...file, services: { mongo: { image: 'mongo', port: [] } } };
    expect(await composeProblems(broken)).toContain(
      '/services/mongo must NOT have unevaluated properties: port',
    );
  });

  it('names nothing that is not there: services, volumes, networks, files', () => {
    const named = services.flatMap(([, { depends_on, volumes = [], networks = [] }]) => [
      ...Object.keys(depends_on ?? {}).filter((name) => !(name in file.services)),
      ...networks.filter((name) => !(name in file.networks)),
      ...volumes
        .map((volume) => volume.split(':')[0] ?? '')
        .filter((from) => !(from in file.volumes || existsSync(join(repository, from)))),
    ]);
    expect(named).toEqual([]);
  });

  it('restricts every container, and none of them runs as root but the one that gives files away', () => {
    for (const [name, service] of services) {
      expect(service, name).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
      });
    }
    expect(services.filter(([, { user }]) => user?.startsWith('0')).map(([name]) => name)).toEqual(['setup']);
    expect(services.filter(([, { cap_add }]) => cap_add).map(([name]) => name)).toEqual(['setup']);
    expect(file.services.setup?.network_mode).toBe('none');
  });

  it('pins every image and publishes on loopback alone, MongoDB not at all', () => {
    for (const [name, { image, ports = [] }] of services) {
      if (image !== 'postern:local') expect(image, name).toMatch(/:v?\d+\.\d+\.\d+$/);
      for (const port of ports) expect(port, name).toMatch(/^127\.0\.0\.1:/);
    }
    expect(file.services.mongo?.ports).toBeUndefined();
    expect(file.services.mongo?.networks).toEqual(['store']);
    expect(file.networks.store).toEqual({ internal: true });
  });

  it('holds no secret', () => {
    const text = readFileSync(join(repository, 'docker-compose.yml'), 'utf8');
    for (const variable of text.matchAll(/^\s+(\w*(?:KEY|PASSWORD|STORE|SECRET)\w*): (.*)$/gm)) {
      expect(variable[1]).toMatch(/_FILE$/);
      expect(variable[2]).toMatch(/^\/run\/postern\//);
    }
  });
});

describe('makeSecrets', () => {
  it('makes each secret once, for one user, and another one in every folder', async () => {
    const [one, other] = [await folder(), await folder()];
    makeSecrets(one, 'mongo:27017');
    makeSecrets(other, 'mongo:27017');
    const made = read(one);
    makeSecrets(one, 'mongo:27017');
    expect(read(one)).toEqual(made);
    const names = ['admin-key', 'grafana-password', 'mongo-keyfile', 'mongo-password', 'mongo-root-password'];
    expect(Object.keys(made)).toEqual([...names, 'store']);
    for (const [name, text] of Object.entries(read(other))) {
      expect(text).not.toBe(made[name]);
      expect(text.length).toBeGreaterThan(42);
      expect(statSync(join(one, name)).mode & 0o777).toBe(0o400);
    }
  });
});

describe('envoyConfig', () => {
  it('is the shipped file with other addresses, and Envoy accepts it', async () => {
    const shipped = readFileSync(shippedConfiguration, 'utf8');
    const text = envoyConfig(shipped, ['postern-0', 'postern-1']);
    const config = parse(text);
    expect(endpoints(config)).toEqual([
      ['postern-0', 50_051],
      ['postern-1', 50_051],
      ['echo', 8_000],
    ]);
    const { address } = config.static_resources.listeners[0].address.socket_address;
    expect([address, config.admin.address.socket_address.address]).toEqual(['0.0.0.0', '127.0.0.1']);
    const without = (yaml: string) => {
      const { clusters, listeners, ...rest } = parse(yaml).static_resources;
      const [{ address: _, ...listener }] = listeners;
      return { ...rest, listener, clusters: clusters.map(withoutEndpoints) };
    };
    expect(without(text)).toEqual(without(shipped));
    await validateEnvoy(text);
  });
});

describe('its parts, started one by one', () => {
  let stack: ComposeStack;
  beforeAll(async () => {
    stack = await startCompose(file);
  });
  afterAll(() => stack?.stop());

  it('make a first key whose lines show allow, deny and revoke, on both replicas', async () => {
    const lines = (await stack.runOnce('first-key')).split('\n');
    const [allow = '', deny = ''] = lines.filter((line) => line.startsWith('curl '));
    const id = /keys revoke (key_\w+)/.exec(lines.join('\n'))?.[1] ?? '';
    for (let time = 0; time < 4; time++) {
      expect(await curl(allow)).toMatch(/^HTTP\/1\.1 200 [\s\S]*"x-postern-owner":\["demo"\]/);
    }
    expect(await curl(deny)).toMatch(/^HTTP\/1\.1 401 [\s\S]*missing_api_key/);
    const served = await Promise.all(stack.posterns.map(allowedBy));
    expect(Math.min(...served)).toBeGreaterThan(0);

    expect(await stack.runOnce('first-key')).not.toContain('curl ');
    const adminKey = readFileSync(join(stack.secrets, 'admin-key'), 'utf8');
    const url = stack.posterns[0]?.url ?? '';
    const revoked = await fetch(`${url}/admin/api-keys/${id}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${adminKey}` },
    });
    expect(await revoked.json()).toMatchObject({ data: { state: 'revoked', unconfirmed_replicas: [] } });
    expect(await curl(allow)).toMatch(/^HTTP\/1\.1 401 [\s\S]*revoked_api_key/);
  });

  it('start again without harm: the secrets, the replica set and the users stay', async () => {
    const before = read(stack.secrets);
    await stack.runOnce('setup');
    expect(read(stack.secrets)).toEqual(before);
    expect(await stack.runOnce('replica-set')).toContain('is a replica set');
  });

  it('leave a MongoDB that asks for a login, and a user of Postern that has its own database alone', async () => {
    const nobody = await new MongoClient(
      `mongodb://127.0.0.1:${stack.mongoPort}/?directConnection=true`,
    ).connect();
    onTestFinished(() => nobody.close());
    await expect(nobody.db('postern').collection('keys').findOne()).rejects.toThrow(
      /requires authentication/,
    );
    const uri = readFileSync(join(stack.secrets, 'store'), 'utf8');
    const postern = await new MongoClient(uri).connect();
    onTestFinished(() => postern.close());
    await expect(postern.db('other').collection('keys').findOne()).rejects.toThrow(/not authorized/);
  });

  it('put no secret into what is logged', () => {
    const log = stack.posterns.map((postern) => postern.log()).join('\n') + stack.envoy.log();
    expect(log.length).toBeGreaterThan(100);
    for (const [name, text] of Object.entries(read(stack.secrets))) expect(log, name).not.toContain(text);
  });

  it('say that the secrets are newer than the database, once they were lost', async () => {
    for (const name of readdirSync(stack.secrets)) rmSync(join(stack.secrets, name));
    await stack.runOnce('setup');
    await expect(stack.runOnce('replica-set')).rejects.toThrow(
      /its volume is older than the one of the secrets/,
    );
  });
});

function withoutEndpoints({ load_assignment: _, ...cluster }: Record<string, unknown>) {
  return cluster;
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'postern-secrets-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** File → what is in it. */
function read(path: string): Record<string, string> {
  const names = readdirSync(path).toSorted();
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(path, name), 'utf8')]));
}

async function curl(line: string): Promise<string> {
  return (await run('sh', ['-c', line])).stdout;
}

async function allowedBy({ url }: { readonly url: string }): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^postern_checks_total\{decision="allow".*scheme="postern"\} (\d+)$/m.exec(text)?.[1] ?? 0);
}

type Endpoints = { endpoint: { address: { socket_address: { address: string; port_value: number } } } }[];

function endpoints(config: {
  static_resources: { clusters: { load_assignment: { endpoints: { lb_endpoints: Endpoints }[] } }[] };
}): [string, number][] {
  return config.static_resources.clusters
    .flatMap(({ load_assignment }) => load_assignment.endpoints)
    .flatMap(({ lb_endpoints }) => lb_endpoints)
    .map(({ endpoint }) => endpoint.address.socket_address)
    .map(({ address, port_value }) => [address, port_value]);
}
