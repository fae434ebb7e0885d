import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { parseDocument } from 'yaml';
import { configureEnvoy } from '../../../deploy/envoy/configure.ts';
import { startEcho } from '../../real/echo.ts';
import { shippedConfiguration, startEnvoy } from '../../real/envoy.ts';
import { freshDatabase, type Mongo, startReplicaSet } from '../../real/mongod.ts';
import { freePort } from '../../real/port.ts';
import { type Postern, startPostern } from '../../real/postern.ts';
import { until } from '../../real/until.ts';
import { checkRequest } from '../check-client.ts';
import { admin, makeKey, send } from '../stack.ts';
import { unknownKey } from '../unknown-key.ts';

vi.setConfig({ testTimeout: 900_000 });

let mongo: Mongo;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-rolling-'));
  mongo = await startReplicaSet({ own: true });
});
afterAll(async () => {
  await mongo?.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('replicas that are stopped and started one after the other, under load', () => {
  it('fail no request in six rounds, while old connections are ended too', async () => {
    const ports = [await freePort(), await freePort()];
    const seen = await roll(
      ports.map((port) => ({
        listen: `127.0.0.1:${port}`,
        endpoint: { socket_address: { address: '127.0.0.1', port_value: port } },
      })),
      6,
      'check: { store_timeout: 5s, connection_age_max: 1s }\nsettle_timeout: 30s\n',
    );
    expect([...seen.keys()].toSorted()).toEqual(['good 200', 'revoked 401']);
    expect(seen.get('good 200')).toBeGreaterThan(100);
  });

  it('fail none over Unix sockets either', async () => {
    const paths = ['one', 'other'].map((name) => join(folder, `${name}.sock`));
    const seen = await roll(
      paths.map((path) => ({ listen: `unix:${path}`, endpoint: { pipe: { path } } })),
      2,
      'check: { store_timeout: 5s }\nsettle_timeout: 30s\n',
    );
    expect([...seen.keys()].toSorted()).toEqual(['good 200', 'revoked 401']);
  });
});

describe('a drain', () => {
  it('finishes the Checks that wait for a slow store, and exits with 0', async () => {
    const config = join(folder, 'slow.yaml');
    await writeFile(config, 'check: { store_timeout: 30s }\nsettle_timeout: 30s\n');
    const postern = await startPostern({
      POSTERN_STORE: freshDatabase(mongo.uri).uri,
      POSTERN_CONFIG: config,
    });
    onTestFinished(() => postern.stop());
    const member = await mongo.primary();
    await member.kill('SIGSTOP');
    try {
      const answers = await tenChecks(postern);
      await postern.kill('SIGTERM');
      await until('it drains', () => postern.log().includes('"msg":"draining"'));
      await member.kill('SIGCONT');
      const reasons = await Promise.all(answers);
      expect(reasons.map((bytes) => bytes.includes('unknown'))).toEqual(Array(10).fill(true));
    } finally {
      await member.kill('SIGCONT');
    }
    expect(await postern.exited).toBe(0);
  });
});

interface Endpoint {
  readonly listen: string;
  /** As Envoy has it. */
  readonly endpoint: object;
}

/** What was answered, and how often: `good 200`. */
type Seen = Map<string, number>;

async function roll(endpoints: readonly Endpoint[], rounds: number, settings: string): Promise<Seen> {
  const config = join(folder, 'postern.yaml');
  await writeFile(config, settings);
  const { uri } = freshDatabase(mongo.uri);
  const start = ({ listen }: Endpoint) =>
    startPostern({ POSTERN_STORE: uri, POSTERN_CONFIG: config, POSTERN_CHECK_LISTEN: listen });
  const replicas = await Promise.all(endpoints.map(start));
  const echo = await startEcho();
  const envoy = await startEnvoy({ configYaml: await envoyBefore(endpoints, echo.address) });
  onTestFinished(async () => {
    await Promise.all([envoy.stop(), echo.stop(), ...replicas.map((replica) => replica.stop())]);
  });
  const [first] = replicas as [Postern];
  const [good, revoked] = [await makeKey(first), await makeKey(first)];
  await admin(first, 'DELETE', `/admin/api-keys/${revoked.id}`);

  const load = startLoad(envoy.url, { good: good.key, revoked: revoked.key });
  for (let round = 0; round < rounds; round++) {
    const at = round % replicas.length;
    const replica = replicas[at] as Postern;
    await replica.kill('SIGTERM');
    expect(await replica.exited).toBe(0);
    expect(replica.logLines().at(-1)).toMatchObject({ msg: 'stopped' });
    await replica.stop();
    replicas[at] = await start(endpoints[at] as Endpoint);
    await until('Envoy asks it again', () => asksAll(envoy.adminUrl));
  }
  return load.stop();
}

/** The shipped configuration, before these. */
async function envoyBefore(
  endpoints: readonly Endpoint[],
  upstreamAddress: { host: string; port: number },
): Promise<string> {
  const shipped = await readFile(shippedConfiguration, 'utf8');
  const document = parseDocument(
    configureEnvoy(shipped, { listenPort: 0, adminPort: 0, upstreamAddress, checkTimeoutMs: 15_000 }),
  );
  const { static_resources: resources } = document.toJS() as {
    static_resources: { clusters: { name: string }[] };
  };
  const cluster = [
    'static_resources',
    'clusters',
    resources.clusters.findIndex(({ name }) => name === 'postern'),
  ];
  document.setIn([...cluster, 'type'], 'STATIC');
  const addresses = endpoints.map(({ endpoint }) => ({ endpoint: { address: endpoint } }));
  document.setIn(
    [...cluster, 'load_assignment', 'endpoints', 0, 'lb_endpoints'],
    document.createNode(addresses),
  );
  // Here an address that does not answer is back within a second; Envoy's workers are to hear of that at once.
  document.setIn([...cluster, 'common_lb_config', 'update_merge_window'], '0s');
  for (const time of ['interval', 'base_ejection_time', 'max_ejection_time'])
    document.setIn([...cluster, 'outlier_detection', time], '0.1s');
  return document.toString();
}

/** Whether Envoy leaves none of its endpoints out. */
async function asksAll(adminUrl: string): Promise<boolean> {
  const text = await (await fetch(`${adminUrl}/clusters`)).text();
  const flags = [...text.matchAll(/^postern::.*::health_flags::(.*)$/gm)].map(([, flag]) => flag);
  return flags.length === 2 && flags.every((flag) => flag === 'healthy');
}

/** Eight callers, each of which asks at most eight times a second and one request at a time. */
function startLoad(url: string, keys: Readonly<Record<string, string>>) {
  const seen: Seen = new Map();
  const callers = Array.from({ length: 4 }, () => Object.entries(keys)).flat();
  const asking = new Set<Promise<void>>();
  const timers = callers.map(([name, key]) => {
    let isBusy = false;
    return setInterval(() => {
      if (isBusy) return;
      isBusy = true;
      const asked = send(url, '/', [['authorization', `Bearer ${key}`]])
        .then(({ status, body }) => `${name} ${status}${status === 200 || status === 401 ? '' : ` ${body}`}`)
        .catch((error: Error) => `${name} ${error.message}`)
        .then((outcome) => {
          seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
          isBusy = false;
          asking.delete(asked);
        });
      asking.add(asked);
    }, 125);
  });
  return {
    async stop() {
      for (const timer of timers) clearInterval(timer);
      await Promise.all(asking);
      return seen;
    },
  };
}

/** Ten Checks for keys that nobody knows, which have arrived; each resolves to what it was answered. */
async function tenChecks({ check: { host, port } }: Postern): Promise<Promise<Buffer>[]> {
  const session = connect(`http://${host}:${port}`);
  onTestFinished(() => session.destroy());
  const answers = Array.from({ length: 10 }, () => {
    const message = checkRequest({ authorization: `Bearer ${unknownKey()}` });
    const frame = Buffer.alloc(5 + message.length);
    frame.writeUInt32BE(message.length, 1);
    frame.set(message, 5);
    const call = session.request({
      ...{ ':method': 'POST', ':path': '/envoy.service.auth.v3.Authorization/Check' },
      ...{ 'content-type': 'application/grpc', te: 'trailers' },
    });
    call.end(frame);
    return call.toArray().then((chunks) => Buffer.concat(chunks));
  });
  // An answered ping was sent after the calls: they have arrived.
  await new Promise<void>((resolve) => {
    session.ping(() => resolve());
  });
  return answers;
}
