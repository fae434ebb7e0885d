import { expect, it } from 'vitest';
import type { KeyId } from '../../../src/keys/key.ts';
import { request } from '../../store-contract/use/request-log.ts';
import { expectRefused, get, post, startPortal } from './portal.ts';

/** Keys of acme and globex, and an admin key of acme, each of which made a request. */
async function startUsed() {
  const started = await startPortal();
  const { own, foreign, create, service } = started;
  const wanted = { name: 'of the house', scheme: 'postern', owner: 'acme', permissions: ['admin:read'] };
  const admin: { id: string } = await create(wanted);
  const at = service.clock.now - 1_000;
  const row = (id: string, key: string | null, owner: string | null, more: object = {}) =>
    request({ ...{ id, at, owner, path: `/v1/${id}`, key: key as KeyId | null }, ...more });
  const denied = { decision: 'deny', reason: 'expired', status: 401 };
  await service.store.recordRequests([
    row('mine', own.id, 'acme'),
    row('denied', own.id, 'acme', denied),
    row('theirs', foreign.id, 'globex'),
    row('moved', foreign.id, 'acme'),
    row('house', admin.id, 'acme'),
    row('nobody', null, null),
  ]);
  return { ...started, admin };
}

const notTheirs = /\/v1\/(?:theirs|moved|house|nobody)/;

it.each([[['usage:read']], [['keys:read', 'usage:read']], [['keys:write', 'usage:read']]])(
  'a portal session with %j sees what requests its owner’s keys made, and nobody else’s',
  async (permissions) => {
    const { opened, own, foreign, admin } = await startUsed();
    const { visitor } = await opened({ permissions });
    const shown = await visitor.get('/console/requests');
    expect(shown.status).toBe(200);
    expect(shown.html).toContain(`<a href="/console/keys/${own.id}">`);
    expect(shown.html).not.toContain('name="owner"');
    expect(shown.text).toContain('/v1/mine');
    expect(shown.text).toContain('/v1/denied');
    for (const { id } of [foreign, admin]) expect(shown.html).not.toContain(id);
    const filtered = await visitor.get('/console/requests?decision=deny&owner=acme');
    expect(filtered.text).toContain('/v1/denied');
    expect(filtered.text).not.toContain('/v1/mine');
    const ofKey = await visitor.get(`/console/keys/${own.id}`);
    expect(ofKey.text).toContain('/v1/mine');
    for (const { text } of [shown, filtered, ofKey]) expect(text).not.toMatch(notTheirs);
  },
);

it('a portal session reaches no requests of another owner, and none of an admin key', async () => {
  const { opened, foreign, admin } = await startUsed();
  for (const permissions of [['usage:read'], ['keys:write', 'usage:read']]) {
    const { visitor } = await opened({ permissions });
    const attempts = [
      get(403, '/requests?owner=globex'),
      get(403, '/requests?owner=globex&decision=allow'),
      get(403, '/requests?owner=ACME'),
      get(400, '/requests?decision=any'),
      get(404, `/keys/${foreign.id}`),
      get(404, `/keys/${foreign.id}?hours=720`),
      get(404, `/keys/${admin.id}`),
      get(404, '/keys/key_00000000000000000000000000'),
      get(404, '/keys/wrong'),
      post(405, '/requests'),
    ];
    await expectRefused(visitor, attempts);
    for (const path of ['/requests?owner=globex', `/keys/${foreign.id}`, `/keys/${admin.id}`])
      expect((await visitor.get(`/console${path}`)).text).not.toMatch(notTheirs);
  }
});

it('a portal session without usage:read is shown no requests, and led to none', async () => {
  const { opened, own } = await startUsed();
  const { visitor } = await opened({ permissions: ['keys:write'] });
  const ofKey = await visitor.get(`/console/keys/${own.id}`);
  expect(ofKey.html).not.toMatch(/\/v1\/|id="(?:usage|requests|limits)"|\/console\/requests/);
  await expectRefused(visitor, [get(403, '/requests'), get(403, '/requests?owner=acme')]);
});

it('a portal session with usage:read alone sees the use of a key by its id, and nothing of the key itself', async () => {
  const { opened, own, call } = await startUsed();
  const { visitor } = await opened({ permissions: ['usage:read'] });
  expect((await visitor.get('/console')).location).toBe('/console/requests');
  const shown = await visitor.get(`/console/keys/${own.id}`);
  expect(shown.status).toBe(200);
  expect(shown.html).toContain(`<h1>${own.id}</h1>`);
  expect(shown.html).toContain('id="usage"');
  expect(shown.text).not.toMatch(/of acme|Permissions|pstn_|POSTERN_ADMIN_KEY/);
  expect(shown.html).not.toMatch(/\/(?:edit|rotate|revoke|disable)"|\/console\/(?:owners|audit|keys")/);

  const changes = ['edit', 'rotate', 'revoke', 'disable', 'enable'];
  await expectRefused(visitor, [
    ...['/keys', `/keys?search=${own.id}`, `/keys/${own.id}/edit`].map((path) => get(403, path)),
    post(403, '/keys', { search: 'of' }),
    ...changes.map((change) => post(403, `/keys/${own.id}/${change}`, { name: 'n', etag: 'v1' })),
  ]);
  expect((await call('GET', `/admin/api-keys/${own.id}`)).json.data).toMatchObject({ etag: 'v1' });
});

it('a portal session is told that an inactive owner blocks its keys, and led to no page of the owner’s', async () => {
  const { opened, own, call } = await startPortal();
  await call('PUT', '/admin/owners/acme', { suspended: true });
  const { visitor } = await opened();
  for (const path of ['/console/keys', `/console/keys/${own.id}`]) {
    const { html } = await visitor.get(path);
    expect(html).toContain('<span class="state blocked">Blocked</span> its owner is inactive');
    expect(html).not.toContain('/console/owners');
  }
});
