import { expect, it } from 'vitest';
import { mintSecret } from '../../src/schemes/scheme.ts';
import { audit, callerWith, root, start } from '../admin-calls.ts';

it('what is about a key says by which rotation it came, and not what became of the key before otherwise', async () => {
  const service = await start();
  const { admin } = service;
  const { key: first } = await admin.createKey(root(service), { name: 'One', owner: 'acme' });
  await admin.disableKey(root(service), first.id);
  await admin.enableKey(root(service), first.id);
  const { key: second } = await admin.rotateKey(root(service), first.id, { grace_period: '1h' });
  const { key: third } = await admin.rotateKey(root(service), second.id, {});
  await admin.revokeKey(root(service), third.id);
  const told = async (target: string, asked: object = {}) =>
    (await audit(service, { target, ...asked })).map(({ action, target: of }) => `${action} ${of}`);

  expect(await told(third.id)).toEqual([`RevokeKey ${third.id}`, `RotateKey ${second.id}`]);
  expect(await told(third.id, { order: 'oldest' })).toEqual([
    `RotateKey ${second.id}`,
    `RevokeKey ${third.id}`,
  ]);
  expect(await told(second.id)).toEqual([`RotateKey ${second.id}`, `RotateKey ${first.id}`]);
  expect(await told(third.id, { action: 'RevokeKey' })).toEqual([`RevokeKey ${third.id}`]);
  expect(await told(third.id, { outcome: 'refused' })).toEqual([]);
  const acme = await callerWith(service, ['admin:read'], 'acme');
  expect((await admin.listAuditEvents(acme, { target: third.id })).events).toHaveLength(2);
  const other = await callerWith(service, ['admin:read'], 'other');
  expect((await admin.listAuditEvents(other, { target: third.id })).events).toEqual([]);
});

it('goes on page by page over what is about a key and what made it', async () => {
  const service = await start();
  const { admin } = service;
  const { key: old } = await admin.createKey(root(service), { name: 'One' });
  const { key } = await admin.rotateKey(root(service), old.id, {});
  for (const name of ['a', 'b', 'c']) await admin.updateKey(root(service), key.id, { name });

  for (const order of ['newest', 'oldest']) {
    const actions: string[] = [];
    for (let page_token: string | null = ''; page_token !== null; ) {
      const page = await admin.listAuditEvents(root(service), {
        target: key.id,
        order,
        page_size: 2,
        page_token,
      });
      actions.push(...page.events.map(({ action }) => action));
      page_token = page.nextPageToken;
    }
    const all = ['UpdateKey', 'UpdateKey', 'UpdateKey', 'RotateKey'];
    expect(actions).toEqual(order === 'newest' ? all : all.toReversed());
  }
});

it('what is about an imported key says by which import it came', async () => {
  const service = await start();
  const secrets = Array.from({ length: 250 }, () => mintSecret(service.schemes[0], 'live')?.secret.reveal());
  const keys = secrets.map((secret) => ({ secret, name: 'taken over' }));
  await service.admin.importKeys(root(service), { keys });
  await service.admin.createKey(root(service), { name: 'beside' });
  const all = await service.admin.listKeys(root(service), { page_size: 1_000 });
  // Those that are made within one millisecond come in no order.
  const imported = all.keys.filter(({ name }) => name === 'taken over');
  const made = all.keys.find(({ name }) => name === 'beside');

  for (const key of [imported[0], imported.at(-1)]) {
    const events = await audit(service, { target: key?.id });
    expect(events).toMatchObject([{ action: 'ImportKeys', after: { imported: 250 } }]);
    expect(await audit(service, { target: events[0]?.target })).toEqual(events);
  }
  expect((await audit(service, { target: made?.id })).map(({ action }) => action)).toEqual(['CreateKey']);
});
