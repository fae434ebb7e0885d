import { expect, it } from 'vitest';
import { callerWith, refusal, root, start } from '../admin-calls.ts';

const minute = 60_000;

it('a call by an admin key is use of it: in last_used_at, and in usage with its address', async () => {
  const service = await start();
  const caller = await callerWith(service, ['admin:write']);
  service.clock.now += minute;
  await service.admin.listKeys({ ...caller, address: '192.0.2.7' }, {});
  await service.admin.createKey({ ...caller, address: '192.0.2.7' }, { name: 'one' });
  await service.usage.flush();

  const { key } = caller;
  expect((await service.admin.getKey(root(service), key.id)).lastUsedAt).toBe(service.clock.now);
  const usage = await service.admin.getKeyUsage(root(service), key.id, {});
  expect(usage).toMatchObject({
    buckets: [{ allowed: 2, denied: {} }],
    ...{ lastUsedAt: service.clock.now, addresses: ['192.0.2.7'] },
  });
});

it('a call that an admin key may not make is a denied use of it, and no last use', async () => {
  const service = await start();
  const reader = await callerWith(service, ['admin:read']);
  const plain = await callerWith(service, ['read:assets']);
  const ended = await callerWith(service, ['admin:read']);
  await service.admin.revokeKey(root(service), ended.key.id);
  await refusal(service.admin.createKey(reader, { name: 'x' }));
  await refusal(service.admin.listKeys(plain, {}));
  await refusal(service.admin.listKeys(ended, {}));
  await service.usage.flush();

  const denied = async (id: string) => (await service.admin.getKeyUsage(root(service), id, {})).buckets;
  expect(await denied(reader.key.id)).toMatchObject([{ allowed: 0, denied: { permission_denied: 1 } }]);
  expect(await denied(plain.key.id)).toMatchObject([{ allowed: 0, denied: { permission_denied: 1 } }]);
  expect(await denied(ended.key.id)).toMatchObject([{ allowed: 0, denied: { revoked: 1 } }]);
  expect((await service.admin.getKey(root(service), reader.key.id)).lastUsedAt).toBe(null);
});

it('a call that is refused for what it asks is use of the key all the same', async () => {
  const service = await start();
  const caller = await callerWith(service, ['admin:read']);
  await refusal(service.admin.getKey(caller, 'x'));
  await service.usage.flush();
  expect((await service.admin.getKey(root(service), caller.key.id)).lastUsedAt).toBe(service.clock.now);
});

it('a watch that lasts is use of its key again and again', async () => {
  const service = await start();
  const caller = await callerWith(service, ['admin:read']);
  const end = new AbortController();
  const watched = await service.admin.watchKeys(caller, {}, end.signal);
  const events = watched[Symbol.asyncIterator]();
  service.clock.now += 30 * 86_400_000;
  await service.admin.createKey(root(service), { name: 'one' });
  // The first says where the watch begins.
  while ((await events.next()).value?.event === null);
  end.abort();
  await service.usage.flush();
  expect((await service.admin.getKey(root(service), caller.key.id)).lastUsedAt).toBe(service.clock.now);
});
