import { expect, it } from 'vitest';
import { fieldIn, type Shown, startConsole } from './browser.ts';

/** A row of limits as a form sends it, the first being 0. */
function row(at: number, name: string, units: string, per: string, sharedBy = 'key') {
  return {
    ...{ [`limit_name_${at}`]: name, [`limit_units_${at}`]: units },
    ...{ [`limit_per_${at}`]: per, [`limit_shared_by_${at}`]: sharedBy },
  };
}

function errorsIn({ html }: Shown): Record<string, string> {
  return Object.fromEntries(
    [...html.matchAll(/id="([a-z_0-9]+)-error">([^<]+)</g)].map(([, field = '', error = '']) => [
      field,
      error,
    ]),
  );
}

it('makes a key with several limits, shows them, and changes them row by row', async () => {
  const { operator, call } = await startConsole();
  const form = await operator.get('/console/keys/new');

  const made = await operator.post('/console/keys/new', {
    ...{ name: 'limited', owner: 'acme', request_id: fieldIn(form, 'request_id') },
    ...row(0, 'burst', '10', '1s'),
    // A row that stays empty is none; one that is filled in behind it is.
    ...row(1, '', '', '', 'owner'),
    ...row(2, 'monthly', '100000', 'Month', 'owner'),
  });
  expect(made.status).toBe(201);
  const stored = async () => (await call('GET', '/admin/api-keys')).json.data[0];
  const burst = { name: 'burst', limit: 10, window: '1s', shared_by: 'key' };
  const monthly = { name: 'monthly', limit: 100_000, period: 'month', shared_by: 'owner' };
  expect((await stored()).rate_limits).toEqual([burst, monthly]);

  const { id } = await stored();
  const detail = await operator.get(`/console/keys/${id}`);
  expect(detail.text).toContain('burst: 10 in 1s');
  expect(detail.text).toContain('monthly: 100000 each month, for all keys of the owner');

  const path = `/console/keys/${id}/edit`;
  const edit = await operator.get(path);
  expect([0, 1, 2].map((at) => fieldIn(edit, `limit_name_${at}`))).toEqual(['burst', 'monthly', '']);
  expect([0, 1].map((at) => fieldIn(edit, `limit_units_${at}`))).toEqual(['10', '100000']);
  expect([0, 1].map((at) => fieldIn(edit, `limit_per_${at}`))).toEqual(['1s', 'month']);
  expect(edit.html).toMatch(/id="limit_shared_by_1".*?<option value="owner" selected/s);

  await operator.post(path, {
    ...{ name: 'limited', etag: fieldIn(edit, 'etag') },
    ...row(0, '', '', ''),
    ...row(1, 'budget', '5', 'total', 'key'),
  });
  expect((await stored()).rate_limits).toEqual([
    { name: 'budget', limit: 5, period: 'total', shared_by: 'key' },
  ]);
  const last = await operator.get(path);
  await operator.post(path, { name: 'limited', etag: fieldIn(last, 'etag'), ...row(0, '', '', '') });
  expect((await stored()).rate_limits).toEqual([]);
});

it('leaves the limits of a key as they are where the form did not show them', async () => {
  const { operator, call, create } = await startConsole();
  const { id } = await create({ name: 'limited', rate_limit: { limit: 7, window: '60s' } });
  const edit = await operator.get(`/console/keys/${id}/edit`);

  await operator.post(`/console/keys/${id}/edit`, { name: 'renamed', etag: fieldIn(edit, 'etag') });

  expect((await call('GET', `/admin/api-keys/${id}`)).json.data).toMatchObject({
    ...{ name: 'renamed', rate_limit: { limit: 7, window: '60s' } },
  });
});

it('says what is wrong with a limit beside the field of its row, and keeps what was typed', async () => {
  const { operator, call } = await startConsole();

  const refused = await operator.post('/console/keys/new', {
    name: 'x',
    ...row(0, 'Burst!', 'many', 'fortnight', 'key'),
    ...row(2, 'b', '0', '', 'owner'),
    ...row(4, 'b', '5', '500ms'),
  });

  expect(refused.status).toBe(400);
  const words = 'expected 1 to 32 characters of a-z, 0-9, _ and -';
  const units = 'expected a whole number from 1 to 1000000000000000';
  expect(errorsIn(refused)).toMatchObject({
    limit_name_0: words,
    limit_units_0: units,
    limit_per_0: expect.stringContaining('expected a number and a unit: 90s'),
    limit_units_1: units,
    limit_per_1: 'expected a window or a period',
    limit_per_2: expect.stringContaining('expected 1s or more'),
  });
  // The rows stand as the API counts them.
  expect([0, 1, 2].map((at) => fieldIn(refused, `limit_name_${at}`))).toEqual(['Burst!', 'b', 'b']);
  expect(fieldIn(refused, 'limit_units_0')).toBe('many');
  expect(refused.html.match(/ autofocus/g)).toHaveLength(1);
  expect(refused.html).toMatch(/id="limit_name_0"[^>]* autofocus/);

  const twice = await operator.post('/console/keys/new', {
    ...{ name: 'x', ...row(0, 'b', '5', 'day'), ...row(1, 'b', '6', 'day') },
  });
  expect(errorsIn(twice)).toEqual({ limit_name_1: 'is that of another limit: b' });
  const alone = await operator.post('/console/keys/new', { name: 'x', ...row(0, 'a', '5', 'day', 'owner') });
  expect(errorsIn(alone)).toEqual({ limit_shared_by_0: 'the key has no owner whose keys could share it' });
  expect((await call('GET', '/admin/api-keys')).json.data).toEqual([]);
});

it('shows a key with eight limits all of them, and no row for a ninth', async () => {
  const { operator, create } = await startConsole();
  const rate_limits = Array.from({ length: 8 }, (_, at) => ({ name: `n${at}`, limit: at + 1, window: '1s' }));
  const { id } = await create({ name: 'many', rate_limits });

  const { html } = await operator.get(`/console/keys/${id}/edit`);

  expect(html.match(/name="limit_name_/g)).toHaveLength(8);
  expect(html).not.toContain('More limits');
});

it('offers limits to no admin key that is bound to an owner, whose other changes go through', async () => {
  const { browser, adminKey, call, create } = await startConsole();
  const rate_limits = [{ name: 'burst', limit: 10, window: '1s' }];
  const { id } = await create({ name: 'theirs', owner: 'acme', rate_limits });
  const bound = browser();
  await bound.signIn(await adminKey('admin:write', 'acme'));

  const edit = await bound.get(`/console/keys/${id}/edit`);
  const saved = await bound.post(`/console/keys/${id}/edit`, {
    ...{ name: 'renamed', etag: fieldIn(edit, 'etag') },
  });
  const again = await bound.get(`/console/keys/${id}/edit`);
  const forged = await bound.post(`/console/keys/${id}/edit`, {
    ...{ name: 'renamed', etag: fieldIn(again, 'etag'), ...row(0, 'burst', '99', '1s') },
  });

  expect(edit.html).not.toContain('limit_units_0');
  expect([saved.status, forged.status]).toEqual([303, 403]);
  const stored = (await call('GET', `/admin/api-keys/${id}`)).json.data;
  expect(stored.name).toBe('renamed');
  expect(stored.rate_limits).toMatchObject(rate_limits);
});

it('edits what describes an owner, and what is left empty is emptied', async () => {
  const { operator, call } = await startConsole();
  const path = '/console/owners/acme';
  const stored = async () => (await call('GET', '/admin/owners/acme')).json.data;
  const wanted = { plan: 'pro', name: 'Acme GmbH', contact: 'ops@acme.example' };

  await operator.post(path, {
    ...{ ...wanted, labels: 'tier=gold\nnote=a=b', billing_anchor: '2031-01-31T10:00', keys_max: '25' },
  });
  expect(await stored()).toMatchObject({
    ...{ ...wanted, labels: { tier: 'gold', note: 'a=b' } },
    ...{ billing_anchor: '2031-01-31T10:00:00Z', keys_max: 25 },
  });

  const shown = await operator.get(path);
  expect(shown.text).toMatch(
    /Name Acme GmbH Contact ops@acme\.example Labels tier=gold, note=a=b Billing anchor 2031-01-31 10:00:00 UTC Keys at most 25/,
  );
  expect([fieldIn(shown, 'billing_anchor'), fieldIn(shown, 'keys_max')]).toEqual([
    '2031-01-31T10:00:00',
    '25',
  ]);
  expect((await operator.get('/console/owners')).text).toContain('acme Acme GmbH Active pro');

  const etag = fieldIn(shown, 'etag');
  await operator.post(path, {
    ...{ plan: 'pro', etag, name: 'Acme', contact: '', labels: '', billing_anchor: '', keys_max: '0' },
  });
  expect(await stored()).toMatchObject({
    ...{ plan: 'pro', name: 'Acme', contact: null, labels: {}, billing_anchor: null, keys_max: 0 },
  });
});

it('says what is wrong with what describes an owner beside its field, and keeps what was typed', async () => {
  const { operator, call } = await startConsole();
  const path = '/console/owners/acme';
  const wrong = {
    ...{ name: 'x'.repeat(201), contact: 'c'.repeat(257), labels: '-=x' },
    ...{ billing_anchor: '1800-01-01T00:00', keys_max: 'some' },
  };

  const refused = await operator.post(path, wrong);
  const twice = await operator.post(path, { keys_max: '', labels: 'a=1\na=2' });

  expect(refused.status).toBe(400);
  expect(errorsIn(refused)).toMatchObject({
    name: 'may have at most 200 characters',
    contact: 'may have at most 256 characters',
    labels: expect.stringContaining('may hold letters, digits'),
    billing_anchor: expect.stringContaining('is before 1970'),
    keys_max: 'must be a whole number from 0 to 1000000000',
  });
  expect(fieldIn(refused, 'keys_max')).toBe('some');
  expect(errorsIn(twice)).toEqual({ labels: 'the same name is there twice' });
  expect((await call('GET', '/admin/owners/acme')).status).toBe(404);
});
