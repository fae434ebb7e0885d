import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BSON, MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { readPresets } from '../../../src/presets/read.ts';
import { startCollector } from '../../real/collector.ts';
import { freshDatabase, startStandalone } from '../../real/mongod.ts';
import { adminKey, launchPostern, type Postern, patientSettings, startPostern } from '../../real/postern.ts';
import { until } from '../../real/until.ts';
import { checkRequest, sendCheck } from '../check-client.ts';
import { admin, makeKey, type Stack, send, startStack } from '../stack.ts';
import { unknownKey } from '../unknown-key.ts';

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'postern-secrets-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

const stores = {
  SQLite: async () => {
    const folder = await mkdtemp(join(scratch, 'sqlite-'));
    const kept = async () => {
      const files = (await readdir(folder)).toSorted();
      // The socket by which backups are asked for keeps nothing.
      expect(files).toEqual(['keys.db', 'keys.db-backup', 'keys.db-wal']);
      const kept = files.filter((file) => file !== 'keys.db-backup');
      return (await Promise.all(kept.map((file) => readFile(join(folder, file), 'latin1')))).join('');
    };
    return { uri: `sqlite:${join(folder, 'keys.db')}`, kept };
  },
  MongoDB: async () => {
    const { uri } = freshDatabase(inject('mongoUri'));
    return { uri, kept: () => dump(uri) };
  },
};

describe.each(Object.keys(stores) as (keyof typeof stores)[])('on %s, with every log line on', (name) => {
  it('a secret is in the answer that made it and nowhere else, however it is used', async () => {
    const { uri, kept } = await stores[name]();
    const collector = await startCollector();
    onTestFinished(() => collector.stop());
    const yaml = { POSTERN_CONFIG: await tellingAll() };
    const traced = {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_HEADERS: 'x-token=geheim',
    };
    const stack = await startStack({ POSTERN_STORE: uri, POSTERN_LOG_LEVEL: 'trace', ...yaml, ...traced });
    onTestFinished(() => stack.stop());
    const made = await makeOfEachScheme(stack.postern);
    const never = [unknownKey(), unknownKey('powerverse'), unknownKey('mira')];
    const answers: string[] = [];
    for (const { key } of [...made, ...never.map((text) => ({ key: text }))]) {
      answers.push(...(await useWellAndBadly(stack, key)));
    }
    for (const { id, key } of made.slice(0, 3)) {
      answers.push(await say(stack.postern, 'DELETE', `/admin/api-keys/${id}`));
      answers.push(...(await useWellAndBadly(stack, key)));
    }
    for (const { id } of made) answers.push(await say(stack.postern, 'GET', `/admin/api-keys/${id}`));
    answers.push(await say(stack.postern, 'GET', '/admin/api-keys'));
    answers.push(await (await fetch(`${stack.postern.url}/metrics`)).text());

    const [first] = made;
    const store = await kept();
    expect(store).toContain(first?.id);
    await expect.poll(() => stack.envoy.log()).toContain('"/last/"');
    expect(stack.envoy.log()).toContain(first?.id);
    await expect.poll(() => stack.postern.log()).toContain(first?.id);
    await expect.poll(() => stack.postern.log()).toContain('"reason":"unknown"');
    await expect.poll(() => stack.postern.log()).toContain('"msg":"allowed"');
    await stack.postern.kill('SIGTERM');
    expect(await stack.postern.exited).toBe(0);
    expect(collector.received()).toContain(first?.id);
    const reasons = collector.spans().map(({ attributes }) => attributes['postern.reason']);
    expect(reasons).toEqual(expect.arrayContaining(['malformed', 'unknown', 'revoked']));
    expect(collector.received() + stack.postern.log()).not.toContain('geheim');
    for (const key of [...made.map((one) => one.key), ...never, adminKey]) {
      expectNowhere(key, {
        store,
        log: stack.postern.log(),
        'access log': stack.envoy.log(),
        traces: collector.received(),
        answers: answers.join('\n'),
      });
    }
  });

  it('the first admin key is printed once, at the first start alone, and is in no log line', async () => {
    const { uri, kept } = await stores[name]();
    const settings = { POSTERN_STORE: uri, POSTERN_ADMIN_KEY: '', POSTERN_LOG_LEVEL: 'trace' };
    const first = await startPostern(settings);
    onTestFinished(() => first.stop());
    const printed = await until(
      'the banner is printed',
      () => /^ {2}(pst_live_\w+)$/m.exec(first.log())?.[1],
    );
    const mentions = first
      .log()
      .split('\n')
      .filter((line) => line.includes(printed));
    expect(mentions).toEqual([
      `  ${printed}`,
      `  curl -sS ${first.url}/admin/api-keys -H "Authorization: Bearer ${printed}" -d '{"name":"My first key"}'`,
    ]);
    const response = await fetch(`${first.url}/admin/api-keys`, {
      method: 'POST',
      headers: { authorization: `Bearer ${printed}` },
      body: '{"name":"My first key"}',
    });
    expect(response.status).toBe(201);
    expectNowhere(printed, {
      store: await kept(),
      log: JSON.stringify(first.logLines()),
      metrics: await (await fetch(`${first.url}/metrics`)).text(),
    });
    await first.kill('SIGTERM');
    expect(await first.exited).toBe(0);

    const second = await startPostern(settings);
    onTestFinished(() => second.stop());
    await until('the banner is printed', () => second.log().includes('Make an API key:'));
    expect(second.log()).not.toMatch(/pst_(live|test)_\w/);
    expect(second.log()).not.toContain('admin key. It is shown');
    const again = await fetch(`${second.url}/admin/api-keys`, {
      headers: { authorization: `Bearer ${printed}` },
    });
    expect(again.status).toBe(200);
  });
});

it('an admin key that is set is never printed, nor is a first one made', async () => {
  const postern = await startPostern({ POSTERN_LOG_LEVEL: 'trace' });
  onTestFinished(() => postern.stop());
  await until('the banner is printed', () => postern.log().includes('Make an API key:'));
  await expect.poll(() => postern.log()).toContain('Bearer $POSTERN_ADMIN_KEY');
  expect(postern.log()).not.toContain(adminKey);
  expect(postern.log()).not.toMatch(/pst_(live|test)_\w/);
  const { data } = (await admin(postern, 'GET', '/admin/api-keys')) as { data: unknown[] };
  expect(data).toEqual([]);
});

it('a MongoDB that refuses the password: the log says so, and does not say the password', async () => {
  const standalone = await startStandalone({ args: ['--auth'] });
  onTestFinished(() => standalone.stop());
  const folder = await mkdtemp(join(scratch, 'run-'));
  const address = `127.0.0.1:${standalone.members[0]?.port}/postern`;
  const postern = await launchPostern(
    { POSTERN_STORE: `mongodb://me:geheim@${address}`, POSTERN_LOG_LEVEL: 'trace' },
    folder,
  );
  onTestFinished(() => postern.stop());
  const line = await until('it is logged', () =>
    postern
      .log()
      .split('\n')
      .find((one) => one.includes(`mongodb://${address} cannot be reached yet`)),
  );
  expect(line).toContain('refused the user name or the password');
  expect(postern.log()).not.toContain('geheim');
});

/** A settings file by which every allow is a line too, with the patience of the other tests. */
async function tellingAll(): Promise<string> {
  const file = join(await mkdtemp(join(scratch, 'settings-')), 'postern.yaml');
  const patient = await readFile(patientSettings, 'utf8');
  const schemes = `schemes: [${[...readPresets().keys()].join(', ')}]`;
  await writeFile(file, `${patient}\nlog: { allows_sample_ratio: 1 }\n${schemes}\n`);
  return file;
}

interface Made {
  readonly id: string;
  readonly key: string;
}

async function makeOfEachScheme(postern: Postern): Promise<Made[]> {
  const made: Made[] = [];
  for (const scheme of readPresets().keys()) made.push(await makeKey(postern, { scheme, owner: 'acme' }));
  made.push(await makeKey(postern, { environment: 'test', permissions: ['admin:read'] }));
  return made;
}

/** Uses a key in every way that may be written down somewhere; returns all that was answered. */
async function useWellAndBadly({ envoy, postern }: Stack, key: string): Promise<string[]> {
  const said: string[] = [];
  const asked: [path: string, headers: (readonly [string, string])[]][] = [
    ['/', [['authorization', `Bearer ${key}`]]],
    ['/powerverse/', [['x-api-key', key]]],
    ['/converra/', [['authorization', `Bearer ${key}`]]],
    ['/write/', [['authorization', `Bearer ${key}`]]],
    ['/test-env/', [['authorization', `bearer  ${key}`]]],
    // Malformed, with a real key's text in it.
    ['/', [['authorization', `Bearer ${key}x`]]],
    ['/', [['authorization', `Basic ${key}`]]],
    ['/', [['authorization', key]]],
    ['/', [['authorization', `Bearer ${key}, Bearer ${key}`]]],
    [
      '/',
      [
        ['authorization', `Bearer ${key}`],
        ['authorization', `Bearer ${key}`],
      ],
    ],
    // Where no scheme looks.
    ['/', [['x-auth-token', key]]],
    [
      '/public/',
      [
        ['x-postern-owner', key],
        ['cookie', `key=${key}`],
      ],
    ],
    [`/?api_key=${key}`, []],
    [`/last/?key=${key}&authorization=Bearer+${key}`, []],
  ];
  for (const [path, headers] of asked) {
    const { headers: answered, body, upstream } = await send(envoy.url, path, headers);
    // What passes shows the upstream what no scheme knows to be a key.
    if (upstream === undefined) said.push(JSON.stringify(answered), body);
  }
  for (const body of [{ key }, { key: `${key}x` }, { key, scheme: 'mavera' }, { key, unknown_field: key }]) {
    said.push(await say(postern, 'POST', '/admin/api-keys:verify', body));
  }
  said.push(await say(postern, 'GET', `/admin/api-keys/${key}`));
  said.push(await say(postern, 'GET', '/admin/api-keys', undefined, key));
  await sendCheck(
    `${postern.check.host}:${postern.check.port}`,
    checkRequest({ authorization: `Bearer ${key}` }),
  );
  return said;
}

/** Makes an admin call, whatever comes of it; returns the answer. */
async function say(
  postern: Postern,
  method: string,
  path: string,
  body?: unknown,
  as = adminKey,
): Promise<string> {
  const response = await fetch(postern.url + path, {
    method,
    headers: { authorization: `Bearer ${as}` },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return `${JSON.stringify([...response.headers])}\n${await response.text()}`;
}

/** Every document of every collection. */
async function dump(uri: string): Promise<string> {
  const client = await new MongoClient(uri).connect();
  try {
    const collections = await client.db().collections();
    const documents = await Promise.all(collections.map((collection) => collection.find().toArray()));
    return BSON.EJSON.stringify(documents);
  } finally {
    await client.close();
  }
}

/** Neither whole nor by its random part, which is what makes it a secret, nor by a piece of that, nor encoded. */
function expectNowhere(secret: string, places: Readonly<Record<string, string>>): void {
  const random = secret.replace(/^.*[_-]/, '');
  const piece = random.slice(4, -4);
  const forms = [secret, random, piece, Buffer.from(secret).toString('base64').slice(0, -4)];
  for (const [place, text] of Object.entries(places)) {
    for (const form of forms) expect(text.includes(form), `${form} is in ${place}`).toBe(false);
  }
}
