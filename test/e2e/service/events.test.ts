import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, it, onTestFinished } from 'vitest';
import { freshDatabase } from '../../real/mongod.ts';
import { adminKey, type Postern, patientSettings, startPostern } from '../../real/postern.ts';
import { until } from '../../real/until.ts';
import { startReceiver, status } from '../../webhook-receiver.ts';
import { checkRequest, sendCheck } from '../check-client.ts';
import { admin, type MadeKey, makeKey } from '../stack.ts';

const whsec = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

it('logs and sends what happens, with no secret in it, and loses nothing when it is killed', async () => {
  const { url, received, answers } = await startReceiver();
  const folder = await scratch();
  const settings = {
    ...(await configured(
      folder,
      `usage_flush_interval: 100ms\nevents:\n  many_failures: { count: 5, window: 60s }\n  webhook: { url: "${url}" }\n`,
    )),
    POSTERN_STORE: `sqlite:${join(folder, 'postern.db')}`,
    POSTERN_WEBHOOK_SECRET: whsec,
    POSTERN_REPLICA_ID: 'postern-0',
  };
  const first = await startPostern(settings);
  onTestFinished(() => first.stop());
  await deliveryBegun(first, received);
  const made = await makeKey(first, { owner: 'acme', permissions: ['read:a'] });
  const use = (headers: Record<string, string>, address: string, context = {}) =>
    sendCheck(`${first.check.host}:${first.check.port}`, checkRequest(headers, address, context));
  const authorization = `Bearer ${made.key}`;
  await use({ authorization }, '192.0.2.1');
  await until('the first address', async () => (await usage(first, made.id)).addresses.length === 1);
  await use({ authorization }, '192.0.2.2');
  await use({ authorization }, '192.0.2.2', { permissions: 'write:a' });
  for (let at = 0; at < 5; at++) await use({ authorization: 'Bearer nonsense' }, '2001:db8::1');
  const budget = { name: 'budget', limit: 5, period: 'total' };
  const limited = await makeKey(first, { owner: 'acme', rate_limits: [budget] });
  // Four fifths, all of it, and one more, twice.
  for (let at = 0; at < 7; at++) await use({ authorization: `Bearer ${limited.key}` }, '192.0.2.3');
  const ofLimits = ['limit.nearly_spent', 'limit.exceeded'];
  const notices = ['key.new_address', 'key.permission_denied', 'address.many_failures', ...ofLimits];
  await until('the notices', () => notices.every((type) => types(received).includes(type)));
  await until('its log', () => notices.every((type) => first.logLines().some(({ event }) => event === type)));
  const line = first.logLines().find(({ event }) => event === 'address.many_failures');
  expect(line).toMatchObject({ msg: 'event', target: null, owner: null, address: '2001:db8:0:0::/64' });

  for (const type of ofLimits) {
    // One may be sent twice; there is but one.
    const sent = received.filter(({ json }) => json.type === type);
    expect(new Set(sent.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    const details = { limit: 'budget', units: 5, shared_by: 'key', resets_at: null };
    expect(sent[0]?.json.data).toMatchObject({ target: limited.id, owner: 'acme', details });
  }

  for (let at = 0; at < 50; at++) answers.push(status(503));
  await admin(first, 'DELETE', `/admin/api-keys/${made.id}`);
  await until('a try', () => types(received).includes('key.revoked'));
  await until('a warning', () => first.logLines().some(({ receiver }) => receiver === 'webhook'));
  await first.kill('SIGKILL');
  await first.exited;
  answers.length = 0;
  const [before, whole] = [received.length, first.log()];
  const second = await startPostern(settings);
  onTestFinished(() => second.stop());
  await until('the event again', () => types(received.slice(before)).includes('key.revoked'));
  for (const text of [whole, second.log(), ...received.map(({ text }) => text)]) {
    expect(text).not.toContain(made.key);
    expect(text).not.toContain(whsec.slice(6));
  }
});

it('ends its watches at SIGTERM, and then at once', async () => {
  const postern = await startPostern({ POSTERN_STORE: 'sqlite::memory:' });
  onTestFinished(() => postern.stop());
  const headers = { authorization: `Bearer ${adminKey}` };
  const response = await fetch(`${postern.url}/admin/events`, { headers });
  const text = response.text();
  await postern.kill('SIGTERM');
  expect(await postern.exited).toBe(0);
  expect(await text).toMatch(/^retry: 1000\n\n: nothing new\nid: evt_/);
});

it('one of two replicas sends each event, and the other goes on when that one is killed', async () => {
  const { url, received } = await startReceiver();
  const folder = await scratch();
  const settings = {
    ...(await configured(folder, `events:\n  log: false\n  webhook: { url: "${url}" }\n`)),
    POSTERN_STORE: freshDatabase(inject('mongoUri')).uri,
    POSTERN_WEBHOOK_SECRET: whsec,
  };
  const one = await startPostern(settings);
  onTestFinished(() => one.stop());
  await deliveryBegun(one, received);
  const two = await startPostern(settings);
  onTestFinished(() => two.stop());
  const isSent = ({ id }: MadeKey) => received.some(({ json }) => json.data.target === id);
  const made = [await makeKey(one), await makeKey(two), await makeKey(one)];
  await until('three', () => made.every(isSent));
  await one.kill('SIGTERM');
  await one.exited;
  const next = await makeKey(two);
  await until('the next', () => isSent(next));
  const ids = received.map(({ headers }) => String(headers['webhook-id']));
  const once = [...new Set(ids)];
  expect(once).toEqual(once.toSorted());
  // One may be sent twice by a machine that is so slow that the other takes over; not all are, by both.
  expect(ids.length).toBeLessThan(2 * once.length);
});

it('takes what GitHub signed, and nothing else', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const pem = JSON.stringify(publicKey.export({ type: 'spki', format: 'pem' }));
  const settings = await configured(await scratch(), `leaks: { github: { public_keys: { a: ${pem} } } }\n`);
  const postern = await startPostern(settings);
  onTestFinished(() => postern.stop());
  const { id, key } = await makeKey(postern);
  const body = JSON.stringify([{ token: key, type: 'postern', url: '', source: 'commit' }]);
  const signature = sign('sha256', Buffer.from(body), privateKey).toString('base64');
  const report = async (sent: string) => {
    const headers = { 'Github-Public-Key-Identifier': 'a', 'Github-Public-Key-Signature': signature };
    return (await fetch(`${postern.url}/leaks/github`, { method: 'POST', headers, body: sent })).status;
  };
  expect([await report(`${body} `), await report(body)]).toEqual([403, 200]);
  const { data } = (await admin(postern, 'GET', `/admin/api-keys/${id}`)) as { data: { state: string } };
  expect(data.state).toBe('revoked');
  expect(postern.log()).not.toContain(key);
});

async function usage(postern: Postern, id: string) {
  const { data } = (await admin(postern, 'GET', `/admin/api-keys/${id}/usage`)) as {
    data: { addresses: string[] };
  };
  return data;
}

function types(received: readonly { readonly json: { readonly type: string } }[]): string[] {
  return received.map(({ json }) => json.type);
}

/** What happens before a delivery has begun for the first time is not sent. */
async function deliveryBegun(postern: Postern, received: readonly unknown[]): Promise<void> {
  await until('a first event', async () => {
    await makeKey(postern);
    return received.length > 0;
  });
}

async function scratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'postern-events-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function configured(folder: string, yaml: string): Promise<Record<string, string>> {
  const path = join(folder, 'postern.yaml');
  await writeFile(path, (await readFile(patientSettings, 'utf8')) + yaml);
  return { POSTERN_CONFIG: path };
}
