import { expect, it } from 'vitest';
import { startConsole } from '../browser.ts';

it('revokes the keys of a report, says which they were and what was done, and shows no secret', async () => {
  const { operator, create, call } = await startConsole();
  const one = await create({ name: 'on a laptop', owner: 'acme' });
  const old = await create({ name: 'ended long ago' });
  await call('DELETE', `/admin/api-keys/${old.id}`);
  const stranger = `pst_live_${'x'.repeat(49)}`;

  const shown = await operator.post('/console/leaks', {
    ...{
      keys: `${one.key}\n"${old.key}"\n${stranger}`,
      url: 'https://paste.example/7',
      source: 'a customer',
    },
  });

  expect(shown.text).toContain('2 of 3 found');
  expect(shown.text).toMatch(/on a laptop \S+ of acme: revoked now/);
  expect(shown.text).toMatch(/ended long ago \S+ : was revoked before, on \S+ \S+ UTC/);
  expect(shown.text).toContain('1 is not known here, or came twice.');
  expect(shown.text).toMatch(/In effect on all replicas \(1\) since/);
  expect((await call('GET', `/admin/api-keys/${one.id}`)).json.data.state).toBe('revoked');
  for (const secret of [one.key, old.key, stranger]) expect(shown.html).not.toContain(secret);

  const list = await operator.get('/console/leaks');
  expect(list.text).toMatch(/on a laptop acme \S+ \S+ UTC a customer https:\/\/paste\.example\/7 .* Revoked/);
  expect(list.text).toMatch(/ended long ago .* Nothing: it was revoked on/);
  const key = await operator.get(`/console/keys/${one.id}`);
  expect(key.text).toMatch(
    /Leaked : found by a customer on \S+ \S+ UTC ?, at https:\/\/paste\.example\/7 ?\. It was revoked on/,
  );
});

it('takes what a secret scanner sends, and says plainly where none of it is a key', async () => {
  const { operator, create } = await startConsole();
  const { key, id } = await create({ name: 'in a repository' });
  const match = { token: key, type: 'postern', url: 'https://github.com/a/b', source: 'content' };

  const found = await operator.post('/console/leaks', { keys: JSON.stringify([match]) });
  const none = await operator.post('/console/leaks', { keys: 'no key of ours' });

  expect(found.text).toContain('1 of 1 found');
  expect(found.html).toContain(`<a href="/console/keys/${id}">in a repository</a>`);
  expect(none.text).toContain('None of them is a key here');
  expect(none.text).toContain('Nothing was changed.');
});

it('says what is wrong with a report beside the field, and keeps of it but where the keys were found', async () => {
  const { operator } = await startConsole();

  const empty = await operator.post('/console/leaks', { keys: ' ', url: 'https://paste.example/7' });
  const form = await operator.post('/console/leaks', { keys: '{"secret":"topsecret"}' });
  const long = await operator.post('/console/leaks', { keys: 'one', source: 's'.repeat(129) });

  expect([empty.status, form.status, long.status]).toEqual([400, 400, 400]);
  expect(empty.html).toContain('id="keys-error">has no key in it');
  expect(empty.html).toMatch(/name="url"[^>]* value="https:\/\/paste\.example\/7"/);
  expect(form.html).toContain('id="keys-error">is JSON of a form that is not known');
  expect(form.html).not.toContain('topsecret');
  expect(long.html).toMatch(/role="alert"/);
});

it('offers no form to who may but read, and tells them what was reported', async () => {
  const { adminKey, browser, call, create } = await startConsole();
  const { key } = await create({ name: 'on a laptop' });
  await call('POST', '/admin/leaked-keys', { keys: [{ key }] });
  const reader = browser();
  await reader.signIn(await adminKey('admin:read'));

  const shown = await reader.get('/console/leaks');
  const sent = await reader.post('/console/leaks', { keys: 'one' });

  expect(shown.text).toContain('on a laptop');
  expect(shown.html).not.toContain('<textarea');
  expect(sent.status).toBe(403);
});

it('keeps nothing of a report when the session ended before it was sent', async () => {
  const { operator, create } = await startConsole();
  const { key } = await create({ name: 'on a laptop' });
  await operator.get('/console/leaks');
  operator.cookie = null;

  const sent = await operator.post('/console/leaks', { keys: `${key}` });

  expect(sent.html).not.toContain('name="kept"');
  expect(sent.html).not.toContain(key);
});
