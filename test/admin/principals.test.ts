import { expect, it } from 'vitest';
import { callerWith, refusal, root, start } from '../admin-calls.ts';

const shop = 'spiffe://cluster.local/ns/shop/*';
const web = 'spiffe://cluster.local/ns/shop/sa/web';

it('are kept as they are given, each once, and replaced or emptied by an update', async () => {
  const service = await start();
  const wanted = { name: 'a', principals: [shop, '*.Example.com', shop] };
  const { key } = await service.admin.createKey(root(service), wanted);
  expect(key.principals).toEqual([shop, '*.Example.com']);
  const update = async (input: object) =>
    (await service.admin.updateKey(root(service), key.id, input)).key.principals;
  expect(await update({ name: 'b' })).toEqual([shop, '*.Example.com']);
  expect(await update({ principals: ['a.example', 'a.example'] })).toEqual(['a.example']);
  expect(await update({ principals: null })).toEqual([]);
});

it('are what a dry run asks for, where it is said who calls, after the address and before the permissions', async () => {
  const service = await start();
  const wanted = { name: 'a', principals: [shop], ip_allowlist: ['192.0.2.1'], permissions: ['a'] };
  const { secret } = await service.admin.createKey(root(service), wanted);
  const key = secret?.reveal() ?? '';
  const reason = async (asked: object) =>
    (await service.admin.verifyKey(root(service), { key, ...asked })).reason;

  expect(await reason({})).toBe(null);
  expect(await reason({ principal: web })).toBe(null);
  expect(await reason({ principal: '' })).toBe('principal_denied');
  expect(await reason({ principal: 'CN=web' })).toBe('principal_denied');
  expect(await reason({ principal: 'x.example', address: '192.0.2.2' })).toBe('address_denied');
  expect(await reason({ principal: 'x.example', permissions: ['b'] })).toBe('principal_denied');
  expect(await reason({ principal: web, permissions: ['b'] })).toBe('permission_denied');
});

it('go with a rotation, and come with an import', async () => {
  const service = await start();
  const { key } = await service.admin.createKey(root(service), { name: 'a', principals: [shop] });
  const rotated = await service.admin.rotateKey(root(service), key.id, {});
  expect(rotated.key.principals).toEqual([shop]);
  const sha256 = '9f86d081'.repeat(8);
  const rows = [
    { sha256, name: 'imported', principals: [shop, shop] },
    { sha256: '8f86d081'.repeat(8), name: 'refused', principals: ['*'] },
  ];
  const { failures } = await service.admin.importKeys(root(service), { keys: rows });
  expect(failures).toMatchObject([{ index: 1, field: 'principals.0' }]);
  const { keys } = await service.admin.listKeys(root(service), { name_contains: 'imported' });
  expect(keys).toMatchObject([{ principals: [shop] }]);
});

it('of an admin key are names in the certificate of the call', async () => {
  const service = await start();
  const caller = await callerWith(service, ['admin:read']);
  await service.admin.updateKey(root(service), caller.key.id, { principals: [shop, '*.example'] });
  const list = (certificateNames?: readonly string[]) =>
    service.admin.listKeys({ ...caller, ...(certificateNames && { certificateNames }) }, {});

  await list([`URI:${web}`]);
  await list(['email:a@b.example', 'DNS:a.example', 'DNS:b.test']);
  // As Envoy tells them: a URI before any DNS name, and the first of each alone.
  for (const names of [undefined, [], ['DNS:b.test', 'DNS:a.example'], ['DNS:a.example', 'URI:spiffe://x/y']])
    expect(await refusal(list(names))).toBe('PERMISSION_DENIED PRINCIPAL_DENIED');
});
