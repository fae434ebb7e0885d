import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { createGithubKeys, type GithubKeysOptions } from '../../src/admin/leaks/github-keys.ts';
import { createGithubLeaks } from '../../src/admin/leaks/github-leaks.ts';
import { start } from '../admin-calls.ts';

const pair = () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const [first, second] = [pair(), pair()];
const minute = 60_000;

/** GitHub's documented list, of keys by their identifiers. */
function listOf(keys: Readonly<Record<string, KeyObject>>): string {
  const public_keys = Object.entries(keys).map(([key_identifier, key]) => ({
    ...{ key_identifier, key: key.export({ type: 'spki', format: 'pem' }), is_current: true },
  }));
  return JSON.stringify({ public_keys });
}

async function serve(answer: RequestListener): Promise<URL> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`);
}

async function startKeys(answer: RequestListener, pinned: GithubKeysOptions['pinned'] = new Map()) {
  const url = await serve(answer);
  const clock = { now: 0 };
  const told = { fetched: [] as boolean[], reported: [] as string[], failed: [] as string[], refused: 0 };
  const keys = createGithubKeys(
    {
      ...{ fetch, monotonic: () => clock.now },
      count: {
        fetched: (isSuccess) => told.fetched.push(isSuccess),
        reported: (outcome) => told.reported.push(outcome),
      },
      onFailed: (why) => told.failed.push(why),
      onRefused: () => {
        told.refused += 1;
      },
    },
    { pinned, url },
  );
  const codes = () => keys.findings().map(({ code }) => code);
  return { keys, clock, told, codes };
}

it('fetches the list when a report names a key that is not known, and keeps it', async () => {
  const { keys, told, codes } = await startKeys((_, reply) => reply.end(listOf({ one: first.publicKey })));
  expect(told.fetched).toEqual([]);
  const [found, again] = await Promise.all([keys.find('one'), keys.find('one')]);
  expect([found, again].map((key) => (key as KeyObject).equals(first.publicKey))).toEqual([true, true]);
  expect(await keys.find('two')).toBe(null);
  expect([told.fetched, codes()]).toEqual([[true], []]);
});

it('fetches it again for a key that is new, once a minute however many ask', async () => {
  const listed: Record<string, KeyObject> = { one: first.publicKey };
  const { keys, clock, told } = await startKeys((_, reply) => reply.end(listOf(listed)));
  await keys.find('one');
  listed.two = second.publicKey;
  await Promise.all(Array.from({ length: 50 }, () => keys.find('two')));
  expect(told.fetched).toHaveLength(1);
  clock.now += minute;
  const found = await Promise.all(Array.from({ length: 50 }, () => keys.find('two')));
  expect(new Set(found).size).toBe(1);
  expect((found[0] as KeyObject).equals(second.publicKey)).toBe(true);
  expect(told.fetched).toHaveLength(2);
});

it('fetches it again after a day, so that a key that GitHub took back is not trusted for ever', async () => {
  const listed: Record<string, KeyObject> = { one: first.publicKey };
  const { keys, clock } = await startKeys((_, reply) => reply.end(listOf(listed)));
  await keys.find('one');
  delete listed.one;
  listed.two = second.publicKey;
  clock.now += 24 * 60 * minute;
  expect(await keys.find('one')).toBe(null);
});

it.each<[what: string, answer: RequestListener, why: RegExp]>([
  ['an error', (_, reply) => reply.writeHead(500).end('secret'), /^it answered 500$/],
  ['another place', (_, reply) => reply.writeHead(302, { location: '/' }).end(), /./],
  ['no list', (_, reply) => reply.end('{"keys":[]}'), /^it answered no list of public keys$/],
  ['an empty list', (_, reply) => reply.end(listOf({})), /lists no P-256 public key/],
  ['too much', (_, reply) => reply.end('x'.repeat(300_000)), /more than 262144 bytes/],
])('says so when it is answered with %s, and that nobody can tell who signed', async (_, answer, why) => {
  const { keys, clock, told, codes } = await startKeys(answer);
  expect(await keys.find('one')).toBe('unavailable');
  expect(await keys.find('one')).toBe('unavailable');
  expect(told.failed).toEqual([expect.stringMatching(why)]);
  expect(codes()).toEqual(['leaks.github_keys']);
  clock.now += minute;
  await keys.find('one');
  expect(told.fetched).toEqual([false, false]);
});

it('asks nobody about a key of the settings', async () => {
  const { keys, told } = await startKeys((_, reply) => reply.end(), new Map([['one', first.publicKey]]));
  expect(await keys.find('one')).toBe(first.publicKey);
  expect(told.fetched).toEqual([]);
});

it('takes a report that a listed key has signed, refuses any other, and says so by metric, log and finding', async () => {
  const { keys, clock, told, codes } = await startKeys((_, reply) =>
    reply.end(listOf({ one: first.publicKey })),
  );
  const { registry } = await start();
  const refusals = { record: async () => {}, stop: async () => {} };
  const leaks = createGithubLeaks({ keys, registry, refusals });
  const body = Buffer.from('[{"token":"nothing","type":"postern","url":"","source":"content"}]');
  const report = (keyId: string, { privateKey }: typeof first) =>
    leaks.receive({
      ...{ body, keyId, signature: sign('sha256', body, privateKey).toString('base64') },
      ...{ address: '', requestId: null },
    });

  expect(await report('one', first)).toEqual({ received: 1 });
  await expect(report('one', second)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
  await expect(report('two', second)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
  expect(told).toMatchObject({ reported: ['taken', 'refused', 'refused'], refused: 1 });
  expect(codes()).toEqual(['leaks.github_refused']);
  clock.now += 25 * 60 * minute;
  expect(codes()).toEqual([]);
});

it('answers that it is unavailable, so that it is sent again, while the list cannot be fetched', async () => {
  const { keys, told } = await startKeys((_, reply) => reply.writeHead(503).end());
  const { registry } = await start();
  const refusals = { record: async () => {}, stop: async () => {} };
  const leaks = createGithubLeaks({ keys, registry, refusals });
  const body = Buffer.from('[]');
  const signature = sign('sha256', body, first.privateKey).toString('base64');
  const report = { body, keyId: 'one', signature, address: '', requestId: null };
  await expect(leaks.receive(report)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(told.reported).toEqual(['unavailable']);
});
