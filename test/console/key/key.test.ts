import { expect, it } from 'vitest';
import { startConsole } from '../browser.ts';

it('tells the history of a key over its rotations as one, from the page of each', async () => {
  const { operator, create, call } = await startConsole();
  const { id: first } = await create({ name: 'CI 6' });
  const second = (await call('POST', `/admin/api-keys/${first}/rotate`, { grace_period: '1h' })).json.data.id;
  await call('PATCH', `/admin/api-keys/${second}`, { name: 'CI 7' });
  const third = (await call('POST', `/admin/api-keys/${second}/rotate`, { grace_period: '1h' })).json.data.id;
  await call('POST', `/admin/api-keys/${third}/disable`);

  for (const id of [first, second, third]) {
    const { html } = await operator.get(`/console/keys/${id}`);
    const history = html.slice(html.indexOf('id="history"'));
    const said = [...history.matchAll(/<p class="act">(.*?)<span class="when">/gs)].map(([, text = '']) =>
      text
        .replaceAll(/<[^>]*>/g, '')
        .replaceAll(/\s+/g, ' ')
        .trim()
        .replace('The admin key of the settings ', ''),
    );
    expect(said).toEqual([
      'disabled CI 7',
      'rotated CI 7: its successor is CI 7',
      'changed CI 7',
      'rotated CI 6: its successor is CI 6',
      'created CI 6',
    ]);
  }
  const replaced = await operator.get(`/console/keys/${first}`);
  expect(replaced.text).toMatch(/Replaced : by CI 7 , works until \S+ \S+ UTC/);
  expect((await operator.get(`/console/keys/${third}`)).text).toMatch(
    /Disabled : No request with it passes\. Since \S+ \S+ UTC ?, by/,
  );
});

it('says of a key whose owner is suspended which owner it is, and of one that was revoked when and by whom', async () => {
  const { operator, create, call } = await startConsole();
  const { id } = await create({ name: 'stuck', owner: 'acme' });
  await call('PUT', '/admin/owners/acme', { suspended: true });

  const blocked = await operator.get(`/console/keys/${id}`);
  await call('DELETE', `/admin/api-keys/${id}`);
  const revoked = await operator.get(`/console/keys/${id}`);

  expect(blocked.text).toContain('Blocked : its owner acme is suspended.');
  expect(revoked.text).toMatch(/Revoked : on \S+ \S+ UTC by The admin key of the settings ?, for good\./);
});

it('lists the requests of a key by result, and says where they are not on the page of the key', async () => {
  const { operator, create, service } = await startConsole();
  const { id } = await create({ name: 'busy', ip_allowlist: ['192.0.2.0/24'] });
  const at = Math.floor(service.clock.now / 60_000) * 60_000;
  const row = (place: number, change: object) => ({
    ...{
      id: `row${place}`,
      key: id as never,
      owner: null,
      at: at - place * 60_000,
      count: 1_234,
      method: 'GET',
    },
    ...{ host: 'api.example.com', path: `/v1/${place}`, address: '192.0.2.7', decision: 'allow' as const },
    ...{ reason: null, status: 200, scheme: 'postern', environment: 'live', ...change },
  });
  const denied = {
    decision: 'deny' as const,
    reason: 'address_denied' as const,
    status: 403,
    address: '198.51.100.9',
  };
  await service.store.recordRequests([row(1, {}), row(2, denied)]);

  const page = await operator.get(`/console/keys/${id}`);
  const all = await operator.get(`/console/keys/${id}/requests`);
  const refused = await operator.get(`/console/keys/${id}/requests?decision=deny`);

  for (const { text } of [page, all]) {
    expect(text).toMatch(/GET api\.example\.com\/v1\/1 1,234 192\.0\.2\.7 Allowed/);
    expect(text).toMatch(
      /GET api\.example\.com\/v1\/2 1,234 198\.51\.100\.9 Denied: Address not allowed \(403\)/,
    );
  }
  expect(page.text).toMatch(/1 of 2 is not on its allowlist\./);
  expect(page.text).toMatch(/198\.51\.100\.9 1,234 \S+ \S+ UTC Not allowed/);
  expect(page.html).toContain(`data-follow="/console/keys/${id}/requests"`);
  expect([refused.text.includes('/v1/2'), refused.text.includes('/v1/1')]).toEqual([true, false]);
  const missing = await operator.get('/console/keys/key_00000000000000000000000000/requests');
  expect(missing.status).toBe(404);
});

it('says on its page what is no longer possible with a key, and since when, and changes nothing', async () => {
  const { operator, create, call, service } = await startConsole();
  operator.headers.authorization = service.adminAuthorization;
  const revoked = await create({ name: 'ended' });
  const rotated = await create({ name: 'turned' });
  const expired = await create({ name: 'over', expires_in: '1d' });
  const disabled = await create({ name: 'resting' });
  await call('DELETE', `/admin/api-keys/${revoked.id}`);
  await call('POST', `/admin/api-keys/${rotated.id}/rotate`, { grace_period: '1h' });
  await call('POST', `/admin/api-keys/${disabled.id}/disable`);
  const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);
  const [today, tomorrow] = [day(service.clock.now), day(service.clock.now + 86_400_000)];
  service.clock.now += 72 * 3_600_000;

  for (const [key, page, text] of [
    [revoked, 'edit', `was revoked on ${today}`],
    [revoked, 'rotate', `was revoked on ${today}`],
    [rotated, 'rotate', 'was replaced by the key that its rotation made , and worked until '],
    [expired, 'rotate', `expired on ${tomorrow}`],
    [disabled, 'rotate', 'is disabled. Enable it before you rotate it'],
  ] as const) {
    const shown = await operator.get(`/console/keys/${key.id}/${page}`);
    const before = (await call('GET', `/admin/api-keys/${key.id}`)).json.data;
    const sent = await operator.post(`/console/keys/${key.id}/${page}`, {
      name: 'x',
      request_id: `${key.id}`,
    });

    expect(shown.text).toContain(text);
    expect([sent.status, sent.text.includes(text)]).toEqual([409, true]);
    expect((await call('GET', `/admin/api-keys/${key.id}`)).json.data).toEqual(before);
  }
});
