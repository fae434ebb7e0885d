import { status } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import type {
  CreateKeyResponse,
  ListAuditEventsRequest,
  ListAuditEventsResponse,
} from '../../src/grpc/gen/postern/admin/v1/key_admin.ts';
import { auditJson, hashOfJson } from '../../src/journal/journal.ts';
import { audit, root } from '../admin-calls.ts';
import { startAdmin } from './admin-client.ts';

function list(given: Partial<ListAuditEventsRequest> = {}): object {
  const unset = { page_size: 0, page_token: '', since: undefined, until: undefined, order: '', after: '' };
  return { ...unset, notices: false, history: false, ...given };
}

it('an audit event says all that the journal does, as fields and as the line that is hashed', async () => {
  const { service, call } = await startAdmin();
  const { key } = await call<CreateKeyResponse>('createKey', {
    ...{
      name: 'A key',
      owner: 'acme',
      permissions: ['a'],
      roles: [],
      ip_allowlist: [],
      principals: [],
      expires_at: undefined,
    },
    ...{ rate_limit: { limit: 1, window: { seconds: 1, nanos: 0 } }, labels: { team: 'grid' } },
    ...{ rate_limits: [], request_id: 'r-1' },
  });
  await call('disableKey', { id: key?.id });
  const { events } = await call<ListAuditEventsResponse>('listAuditEvents', list());
  const entries = await audit(service);
  expect(events.map(({ json }) => json)).toEqual(entries.map((entry) => JSON.stringify(auditJson(entry))));
  const [disabled, created] = events;
  const [at, before, after] = [service.clock.now, created?.after, disabled?.after];
  expect(created).toEqual({
    ...{ id: 'evt_0000000000000001', actor: 'POSTERN_ADMIN_KEY', action: 'CreateKey', target: key?.id },
    ...{ at: { seconds: Math.floor(at / 1_000), nanos: (at % 1_000) * 1_000_000 }, outcome: 'ok' },
    ...{ address: '127.0.0.1', request_id: 'r-1', before: undefined, owner: 'acme', error: '' },
    after: expect.objectContaining({
      ...{ id: key?.id, name: 'A key', permissions: ['a'], expires_at: null, labels: { team: 'grid' } },
      ...{ rate_limit: { limit: 1, window: '1s' }, state: 'active' },
    }),
    json: created?.json,
    ...{ actor_name: '', target_name: 'A key' },
  });
  expect(disabled?.before).toEqual(before);
  expect(after).toMatchObject({ id: key?.id, state: 'disabled' });
  for (const { json } of events) {
    const { hash, ...rest } = JSON.parse(json);
    expect(hashOfJson(rest)).toBe(hash);
  }
});

it('of a refused call an event has the code, and nothing where nothing is known', async () => {
  const { call, refusal } = await startAdmin();
  await refusal('getKey', { id: 'x' }, { authorization: [] });
  const { events } = await call<ListAuditEventsResponse>('listAuditEvents', list({ outcome: 'refused' }));
  expect(events).toMatchObject([
    {
      ...{
        actor: '',
        action: 'GetKey',
        target: '',
        outcome: 'refused',
        error: 'UNAUTHENTICATED',
        request_id: '',
      },
      ...{ before: undefined, after: undefined, owner: undefined },
    },
  ]);
});

it('a list of audit events is narrowed, and goes on where it ended', async () => {
  const { service, call, refusal } = await startAdmin();
  const { admin, clock } = service;
  for (const owner of ['acme', 'other', 'acme']) {
    await admin.createKey(root(service), { name: 'One', owner });
    clock.now += 1_000;
  }
  const sequences = async (given: Partial<ListAuditEventsRequest>) => {
    const page = await call<ListAuditEventsResponse>('listAuditEvents', list(given));
    return [page.events.map(({ id }) => Number(id.slice(4))), page.next_page_token] as const;
  };
  const at = {
    seconds: Math.floor((clock.now - 2_000) / 1_000),
    nanos: ((clock.now - 2_000) % 1_000) * 1_000_000,
  };
  expect(await sequences({ owner: 'acme' })).toEqual([[3, 1], '']);
  expect(await sequences({ since: at })).toEqual([[3, 2], '']);
  expect(await sequences({ until: at })).toEqual([[1], '']);
  expect(await sequences({ order: 'oldest', after: 'evt_0000000000000001' })).toEqual([[2, 3], '']);
  const [first, page_token] = await sequences({ page_size: 2 });
  expect(first).toEqual([3, 2]);
  expect(await sequences({ page_size: 2, page_token })).toEqual([[1], '']);
  for (const [field, given] of [
    ['page_token', { page_token, owner: 'acme' }],
    ['page_size', { page_size: -1 }],
    ['outcome', { outcome: 'maybe' }],
    ['order', { order: 'random' }],
    ['after', { after: 'evt_1' }],
    ['since', { since: { seconds: 9_000_000_000_000, nanos: 0 } }],
  ] as const) {
    expect(await refusal('listAuditEvents', list(given))).toMatchObject({
      ...{ code: status.INVALID_ARGUMENT, fields: [{ field }] },
    });
  }
});

it('the history of a key is that of all keys that it replaced or that replaced it', async () => {
  const { service, call, refusal } = await startAdmin();
  const first = await service.admin.createKey(root(service), { name: 'A key' });
  const second = await service.admin.rotateKey(root(service), first.key.id, {});
  await service.admin.disableKey(root(service), second.key.id);
  const history = (target?: string) => list({ history: true, ...(target && { target }) });
  const { events } = await call<ListAuditEventsResponse>('listAuditEvents', history(second.key.id));
  expect(events.map(({ action }) => action)).toEqual(['DisableKey', 'RotateKey', 'CreateKey']);
  expect((await refusal('listAuditEvents', history())).code).toBe(status.INVALID_ARGUMENT);
});
