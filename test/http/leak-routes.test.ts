import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { expect, it } from 'vitest';
import { createGithubKeys } from '../../src/admin/leaks/github-keys.ts';
import { createGithubLeaks } from '../../src/admin/leaks/github-leaks.ts';
import type { Store } from '../../src/store/store.ts';
import { startListener } from './listener.ts';

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const found = 'https://github.com/octocat/hello/blob/main/a.ts';

it('revokes what is reported over REST, and answers alike whether or not it was a key', async () => {
  const { create, call, service } = await startListener();
  const { id, key } = await create();

  const leaked = await call('POST', '/admin/leaked-keys', { keys: [{ key, url: found, source: 'scan' }] });
  const other = await call('POST', '/admin/leaked-keys', { keys: [{ key: 'nothing' }] });

  expect(leaked.status).toBe(200);
  expect(leaked.text).toBe(other.text);
  expect(Object.keys(leaked.json.data)).toEqual(['received', 'effective_at', 'unconfirmed_replicas']);
  expect((await call('GET', `/admin/api-keys/${id}`)).json.data.state).toBe('revoked');
  const [, entry] = await journal(service.store);
  expect(entry).toMatchObject({ action: 'ReportLeakedKeys', target: id, outcome: 'ok' });
  expect(entry?.after).toMatchObject({ state: 'revoked', leaked: { url: found, source: 'scan' } });
});

it('says which field of a report is wrong, and never what was in it', async () => {
  const { call } = await startListener();
  const wrong = [{}, { keys: [] }, { keys: [{ key: '' }] }, { keys: [{ key: 'x', url: 'a\nb' }] }];
  for (const body of wrong) {
    const refused = await call('POST', '/admin/leaked-keys', body);
    expect(refused.status).toBe(400);
  }
  const secret = 'x'.repeat(5_000);
  const refused = await call('POST', '/admin/leaked-keys', { keys: [{ key: secret }] });
  expect(refused.json.error.details.fields).toHaveLength(1);
  expect(refused.text).not.toContain('xxx');
});

it('revokes what GitHub found, and answers alike whether or not it was a key', async () => {
  const { service, create, report } = await startWithGithub();
  const made = await create({ name: 'One', owner: 'acme' });

  const leaked = await report([{ token: made.key, type: 'postern', url: found, source: 'Content' }]);
  const other = await report([{ token: 'nothing', type: 'postern', url: '', source: 'Content' }]);

  expect([leaked.status, leaked.text]).toEqual([200, '{"data":{"received":1}}']);
  expect([other.status, other.text]).toEqual([leaked.status, leaked.text]);
  const [, entry] = await journal(service.store);
  expect(entry).toMatchObject({
    ...{ action: 'ReportLeakedKeys', target: made.id, owner: 'acme', actor: 'github-secret-scanning' },
    after: { state: 'revoked', leaked: { url: found, source: 'github:Content' } },
  });
});

it('lets no odd match keep the others of a message from being revoked', async () => {
  const { create, call, report } = await startWithGithub();
  const { id, key } = await create();
  const odd = [null, 7, {}, { token: 7 }, { token: '' }, { token: 'x'.repeat(9_999) }];
  const last = { token: key, url: `a\nb${'y'.repeat(9_999)}`, source: { $ne: 1 } };
  expect((await report([...odd, last])).status).toBe(200);
  expect((await call('GET', `/admin/api-keys/${id}`)).json.data.state).toBe('revoked');
});

it('takes nothing that GitHub has not signed, and journals that without what was sent', async () => {
  const { service, create, call, report, send } = await startWithGithub();
  const { id, key } = await create();
  const body = JSON.stringify([{ token: key }]);
  const good = { 'Github-Public-Key-Identifier': 'key-1', 'Github-Public-Key-Signature': signed(body) };

  const { privateKey: other } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const refused = [
    await send(body, {}),
    await send(body, { 'Github-Public-Key-Identifier': 'key-1' }),
    await send(body, { ...good, 'Github-Public-Key-Identifier': 'key-2' }),
    await send(body, { ...good, 'Github-Public-Key-Identifier': '__proto__' }),
    await send(body, { ...good, 'Github-Public-Key-Signature': signed(body, other) }),
    await send(body, { ...good, 'Github-Public-Key-Signature': 'nonsense' }),
    await send(`${body} `, good),
  ];

  expect(refused.map(({ status }) => status)).toEqual([401, 401, 403, 403, 403, 403, 403]);
  expect(new Set(refused.slice(2).map(({ text }) => text)).size).toBe(1);
  expect((await call('GET', `/admin/api-keys/${id}`)).json.data.state).toBe('active');
  const entries = (await journal(service.store)).slice(1);
  expect(entries).toHaveLength(7);
  for (const entry of entries) {
    expect(entry).toMatchObject({
      action: 'ReportLeakedKeys',
      outcome: 'refused',
      actor: null,
      target: null,
    });
    expect(entry.after).toBeNull();
  }
  expect((await report([{ token: key }])).status).toBe(200);
  expect((await report({ token: key })).status).toBe(400);
});

// The sample of GitHub's own documentation, which was signed with a key that it has published.
it('verifies what GitHub signed itself', async () => {
  const id = '90a421169f0a406205f1563a953312f0be898d3c7b6c06b681aa86a874555f4a';
  const key = createPublicKey(`-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE9MJJHnMfn2+H4xL4YaPDA4RpJqUq
kCmRCBnYERxZanmcpzQSXs1X/AljlKkbJ8qpVIW4clayyef9gWhFbNHWAA==
-----END PUBLIC KEY-----`);
  const { send } = await startWithGithub(new Map([[id, key]]));
  const body = '[{"token":"some_token","type":"some_type","url":"some_url"}]';
  const signature =
    'MEUCIQDKZokqnCjrRtw0tni+2Ltvl/uiMJ1EGumEsp1BsNr32AIgQY1YXD2nlj+XNfGK4rBfkMJ1JDOQcYXxa2sY8FNkrKc=';
  const headers = { 'Github-Public-Key-Identifier': id, 'Github-Public-Key-Signature': signature };
  expect((await send(body, headers)).status).toBe(200);
});

it('has no such path where no key of GitHub is known', async () => {
  const { call } = await startListener();
  expect((await call('POST', '/leaks/github', [])).status).toBe(404);
});

async function startWithGithub(publicKeys = new Map([['key-1', publicKey]])) {
  const listener = await startListener(({ registry, store }) => {
    const refusals = {
      record: (draft: Parameters<Store['appendJournal']>[0][0]) => store.appendJournal([draft]),
    };
    return {
      githubLeaks: createGithubLeaks({
        keys: createGithubKeys(
          {
            ...{ fetch, monotonic: () => 0, onFailed() {}, onRefused() {} },
            count: { fetched() {}, reported() {} },
          },
          { pinned: publicKeys, url: null },
        ),
        registry,
        refusals: { ...refusals, stop: async () => {} },
      }),
    };
  });
  const send = (body: string, headers: Record<string, string>) =>
    listener.call('POST', '/leaks/github', body, { authorization: '', ...headers });
  const report = (matches: unknown) => {
    const body = JSON.stringify(matches);
    const headers = { 'Github-Public-Key-Identifier': 'key-1', 'Github-Public-Key-Signature': signed(body) };
    return send(body, headers);
  };
  return { ...listener, send, report };
}

/** As GitHub does it: ECDSA with SHA-256 over the body, DER, base64. */
function signed(body: string, key: KeyObject = privateKey): string {
  return sign('sha256', Buffer.from(body), key).toString('base64');
}

function journal(store: Store) {
  return store.listJournal({}, { order: 'oldest', after: null, size: 100 });
}
