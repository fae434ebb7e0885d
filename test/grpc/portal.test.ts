import { status } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import type {
  CreatePortalSessionResponse,
  DeletePortalSessionResponse,
} from '../../src/grpc/gen/postern/admin/v1/key_admin.ts';
import { startAdmin } from './admin-client.ts';

const base = { owner: 'acme', permissions: ['keys:read'] };

it('says that the place of the console is not known, where nothing says it', async () => {
  const { refusal } = await startAdmin();
  const refused = await refusal('createPortalSession', base);
  expect(refused).toMatchObject({ code: status.FAILED_PRECONDITION, reason: 'CONSOLE_ORIGIN_UNKNOWN' });
});

it('makes a portal session and ends it', async () => {
  const portal = {
    ...{ origin: 'https://console.example.com', isSecure: true, returnOrigins: [], ownOrigin: () => null },
  };
  const { call, refusal } = await startAdmin({ options: { portal } });
  const made = await call<CreatePortalSessionResponse>('createPortalSession', { ...base, expires_in: '2h' });
  expect(made.url).toMatch(/^https:\/\/console\.example\.com\/console\/portal\/ps_/);
  const { session } = await call<DeletePortalSessionResponse>('deletePortalSession', { id: made.id });
  expect(session).toMatchObject({ ...base, id: made.id, expires_at: made.expires_at });
  expect(session?.ended_at).toBeDefined();
  const refused = await refusal('createPortalSession', { owner: '', permissions: [], return_url: 'x' });
  expect(refused.code).toBe(status.INVALID_ARGUMENT);
  expect(refused.fields.map(({ field }) => field)).toEqual(['permissions', 'return_url']);
});

it('is for who may write, for admin keys of an owner within that owner', async () => {
  const { service, refusal, call } = await startAdmin();
  const keyOf = async (permission: string, owner: string | null) => {
    const caller = { authorization: [service.adminAuthorization], address: '' };
    const wanted = { name: 'a', scheme: 'postern', permissions: [permission], owner };
    const { secret } = await service.admin.createKey(caller, wanted);
    return { authorization: [`Bearer ${secret?.reveal()}`] };
  };
  const code = async (by: Record<string, string[]>, asked: object) =>
    (await refusal('createPortalSession', asked, by)).code;

  expect(await code(await keyOf('admin:read', null), base)).toBe(status.PERMISSION_DENIED);
  const bound = await keyOf('admin:write', 'globex');
  expect(await code(bound, base)).toBe(status.PERMISSION_DENIED);
  expect(await code(bound, { ...base, owner: '' })).toBe(status.FAILED_PRECONDITION);
  const { session, token } = await service.registry.createPortalSession(
    { owner: 'acme', permissions: ['keys:read'], returnUrl: null, lifeMs: 60_000 },
    { actor: null, action: 'CreatePortalSession', address: null, requestId: null },
  );
  expect(await service.registry.canOpenPortalSession(token)).toBe(true);
  expect((await refusal('deletePortalSession', { id: session.id }, bound)).code).toBe(status.NOT_FOUND);
  await call('deletePortalSession', { id: session.id });
  expect(await service.registry.canOpenPortalSession(token)).toBe(false);
});
