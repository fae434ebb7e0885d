import { expect, it } from 'vitest';
import { startConsole } from './browser.ts';

it('makes, shows and deletes a role, and refuses one that would reach the admin API', async () => {
  const { operator, call } = await startConsole();
  const named = await operator.post('/console/roles', { id: 'reader' });
  expect(named.location).toBe('/console/roles/reader');
  await operator.get('/console/roles/reader');
  const made = await operator.act('/console/roles/reader', {
    ...{ description: 'Reads', permissions: 'read:a\nread:b', etag: '' },
  });
  expect(made.text).toContain('“reader” is saved, and gives read:a, read:b.');
  expect((await call('GET', '/admin/roles/reader')).json.data.permissions).toEqual(['read:a', 'read:b']);
  expect((await operator.get('/console/roles')).text).toContain('reader read:a read:b Reads');

  const { etag } = (await call('GET', '/admin/roles/reader')).json.data;
  const climbing = await operator.post('/console/roles/reader', { permissions: 'admin:write', etag });
  expect(climbing.status).toBe(400);
  expect((await call('GET', '/admin/roles/reader')).json.data.etag).toBe(etag);

  await operator.get('/console/roles/reader/delete');
  const deleted = await operator.post('/console/roles/reader/delete', { etag });
  expect(deleted.text).toContain('“reader” gives nothing any more.');
  expect((await call('GET', '/admin/roles/reader')).status).toBe(404);
});

it('shows roles to no key that has an owner', async () => {
  const { browser, adminKey } = await startConsole();
  const bound = browser();
  await bound.signIn(await adminKey('admin:write', 'acme'));
  expect((await bound.get('/console/roles')).status).toBe(403);
});
