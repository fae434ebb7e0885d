import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { configureEnvoy } from '../../deploy/envoy/configure.ts';
import { type Echo, startEcho } from './echo.ts';
import { type Envoy, shippedConfiguration, startEnvoy, validateEnvoy } from './envoy.ts';
import { freshDatabase, startReplicaSet } from './mongod.ts';
import { freePort } from './port.ts';

describe('the MongoDB of the tests', () => {
  it('is a replica set that serves a change stream', async () => {
    const { name, uri } = freshDatabase(inject('mongoUri'));
    const client = await new MongoClient(uri).connect();
    onTestFinished(() => client.close());
    const keys = client.db(name).collection('keys');
    const changes = keys.watch();
    expect(await changes.tryNext()).toBe(null);
    await keys.insertOne({ owner: 'acme' }, { writeConcern: { w: 'majority', journal: true } });
    expect(await changes.next()).toMatchObject({ operationType: 'insert', fullDocument: { owner: 'acme' } });
    await changes.close();
    await client.db(name).dropDatabase();
  });

  it('elects another primary when the primary is killed, and loses no majority write', async () => {
    const mongo = await startReplicaSet({ members: 3, electionTimeoutMs: 1_000 });
    const client = new MongoClient(mongo.uri);
    onTestFinished(async () => {
      await client.close();
      await mongo.stop();
    });
    const things = client.db('postern').collection<{ _id: string }>('things');
    await things.insertOne({ _id: 'kept' }, { writeConcern: { w: 'majority', journal: true } });

    const first = await mongo.primary();
    await first.kill('SIGKILL');
    const second = await mongo.primary();
    expect(second.port).not.toBe(first.port);
    await first.restart();
    expect(await things.findOne({ _id: 'kept' }, { readConcern: 'linearizable' })).toEqual({ _id: 'kept' });
  });

  it('keeps its data on a disk for whoever measures what writes cost, though there may be room in memory', async () => {
    const mongo = await startReplicaSet({ own: true, onDisk: true });
    const client = new MongoClient(mongo.uri);
    onTestFinished(async () => {
      await client.close();
      await mongo.stop();
    });
    const { parsed } = await client.db('admin').command({ getCmdLineOpts: 1 });
    expect(parsed.storage.dbPath.startsWith(join(tmpdir(), 'postern-mongod-'))).toBe(true);
  });

  it('keeps its login when a fresh database is put into its address', () => {
    expect(freshDatabase('mongodb://me:pw@a:1,b:2/keys?replicaSet=x').uri).toMatch(
      /^mongodb:\/\/me:pw@a:1,b:2\/postern_[0-9a-f]{16}\?replicaSet=x&authSource=keys$/,
    );
  });
});

it('a port is given once, though nobody listens on it yet', async () => {
  const ports = await Promise.all(Array.from({ length: 500 }, () => freePort()));
  expect(new Set(ports).size).toBe(ports.length);
});

describe('the Envoy that we ship a configuration for', () => {
  let echo: Echo;
  let envoy: Envoy;

  beforeAll(async () => {
    echo = await startEcho();
    const nobody = { host: '127.0.0.1', port: await freePort() };
    envoy = await startEnvoy({ checkAddress: nobody, upstreamAddress: echo.address });
  });
  afterAll(() => Promise.all([envoy?.stop(), echo?.stop()]));

  it('accepts the file as it is', async () => {
    await validateEnvoy(await readFile(shippedConfiguration, 'utf8'));
  });

  it('says what is wrong with a file that it does not accept', async () => {
    await expect(validateEnvoy('admin: {}\nnonsense: 1\n')).rejects.toThrow(/nonsense/);
  });

  it.each(['/', '/public/page', '/powerverse/x', '/write/x'])(
    'answers 503 and not the upstream for %s while Postern is away',
    async (path) => {
      const before = echo.requests();
      const answer = await fetch(`${envoy.url}${path}`, { headers: { authorization: 'Bearer x' } });
      expect(answer.status).toBe(503);
      expect(echo.requests()).toBe(before);
    },
  );

  it.each(['/open%2Fsecret', '/open%5csecret'])('refuses the escaped slash in %s', async (path) => {
    expect((await fetch(`${envoy.url}${path}`)).status).toBe(400);
  });

  it('refuses a header with an underscore', async () => {
    const answer = await fetch(`${envoy.url}/`, { headers: { x_postern_owner: 'acme' } });
    expect(answer.status).toBe(400);
  });
});

describe('configureEnvoy', () => {
  it('changes what it is asked to and keeps the comments', async () => {
    const shipped = await readFile(shippedConfiguration, 'utf8');
    const text = configureEnvoy(shipped, {
      listenPort: 1,
      adminPort: 2,
      checkAddress: [
        { host: 'a', port: 3 },
        { host: 'b', port: 4 },
      ],
      upstreamAddress: { host: 'c', port: 5 },
      checkTimeoutMs: 2_000,
      failureModeAllow: true,
      statusOnError: null,
      encodeRawHeaders: false,
    });
    expect(parse(text)).toMatchObject({
      admin: { address: { socket_address: { port_value: 2 } } },
      static_resources: {
        listeners: [{ address: { socket_address: { port_value: 1 } } }],
        clusters: [
          { load_assignment: endpoints(['a', 3], ['b', 4]) },
          { load_assignment: endpoints(['c', 5]) },
        ],
      },
    });
    for (const line of ['failure_mode_allow: true', 'encode_raw_headers: false', 'timeout: 2s']) {
      expect(text).toContain(line);
    }
    expect(text).not.toContain('status_on_error:');
    expect(text).toContain('# No answer from Postern is never an allow.');
    await validateEnvoy(text);
  });

  it('leaves the shipped file as it is when it is asked for nothing', async () => {
    const shipped = await readFile(shippedConfiguration, 'utf8');
    expect(configureEnvoy(shipped, {})).toBe(shipped);
  });
});

function endpoints(...addresses: [host: string, port: number][]) {
  const lb_endpoints = addresses.map(([address, port_value]) => ({
    endpoint: { address: { socket_address: { address, port_value } } },
  }));
  return { endpoints: [{ lb_endpoints }] };
}
