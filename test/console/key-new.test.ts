import { expect, it } from 'vitest';
import { fieldIn, type Shown, secretIn, startConsole } from './browser.ts';

async function startForm() {
  const started = await startConsole();
  const { operator } = started;
  const make = async (wanted: Record<string, string>): Promise<Shown> => {
    const form = await operator.get('/console/keys/new');
    return operator.post('/console/keys/new', { request_id: fieldIn(form, 'request_id'), ...wanted });
  };
  return { ...started, make };
}

it('offers an end before never, and a scheme that is not the one of admin keys', async () => {
  const { operator } = await startForm();
  const { html } = await operator.get('/console/keys/new');
  expect(html).toContain('<option value="90d" selected>90 days</option>');
  expect(html).not.toMatch(/<option value="never" selected/);
  expect(html).toMatch(/<option value="mavera" selected/);
});

it('asks about an owner that nobody has put, says which one may be meant, and makes the key once it is confirmed', async () => {
  const { make, call } = await startForm();
  await call('PUT', '/admin/owners/acme', {});

  const asked = await make({ name: 'x', owner: 'acmee' });
  expect([asked.status, secretIn(asked)]).toEqual([200, null]);
  expect(asked.text).toContain('There is no owner “acmee” yet');
  expect(asked.text).toContain('Did you mean acme');
  expect(asked.html).toContain('<option value="acme">');
  expect((await call('GET', '/admin/api-keys')).json.data).toEqual([]);
  // What was confirmed is that owner and no other.
  expect(secretIn(await make({ name: 'x', owner: 'acmee', confirm_owner: 'acme' }))).toBeNull();
  expect(secretIn(await make({ name: 'x', owner: 'acmee', confirm_owner: 'acmee' }))).toMatch(/^pst_/);
  // A key names it by now.
  expect(secretIn(await make({ name: 'y', owner: 'acmee' }))).toMatch(/^pst_/);
  expect(secretIn(await make({ name: 'z', owner: 'acme' }))).toMatch(/^pst_/);
});

it('asks nothing about owners where nobody has put any', async () => {
  const { make } = await startForm();
  expect(secretIn(await make({ name: 'x', owner: 'anybody' }))).toMatch(/^pst_/);
});

it('says in words what admin:write is before it is given', async () => {
  const { make, call } = await startForm();
  const asked = await make({ name: 'ops', scheme: 'postern', permissions: 'admin:write' });
  expect([asked.status, secretIn(asked)]).toEqual([200, null]);
  expect(asked.text).toContain('whoever has this key may make, change and revoke every key');
  expect((await call('GET', '/admin/api-keys')).json.data).toEqual([]);
  const reading = { name: 'ops', scheme: 'postern', permissions: 'admin:read', confirm_admin: 'admin:write' };
  expect(secretIn(await make(reading))).toBeNull();
  const writing = {
    name: 'ops',
    scheme: 'postern',
    permissions: 'admin:write',
    confirm_admin: 'admin:write',
  };
  expect(secretIn(await make(writing))).toMatch(/^pst_/);
});

it('puts an end off by 30 days from the one that holds', async () => {
  const { operator, create, call } = await startForm();
  const { id, etag } = await create({ name: 'x', expires_at: '2099-01-01T00:00:00Z' });
  const form = await operator.get(`/console/keys/${id}/edit`);
  expect(form.text).toContain('+30 days: until 2099-01-31');
  await operator.post(`/console/keys/${id}/edit`, {
    ...{ name: 'x', expires_in: '2099-01-31T00:00:00Z', etag: String(etag) },
  });
  expect((await call('GET', `/admin/api-keys/${id}`)).json.data.expires_at).toBe('2099-01-31T00:00:00Z');
});
