import { hash } from 'node:crypto';
import { expect, it } from 'vitest';
import { auditJson, hashOf, hashOfJson } from '../../src/journal/journal.ts';
import { audit, callerWith, refusal, root, start } from '../admin-calls.ts';
import { createStoreFile } from '../sqlite/setting.ts';
import { journalDraft, listChain, testNow } from '../store-contract/setting.ts';

const nobody = `key_${'0'.repeat(26)}`;

it('an entry has the names of the key that called and of the one it was about, as they were then', async () => {
  const service = await start();
  const { admin } = service;
  const caller = await callerWith(service, ['admin:write']);
  const { key } = await admin.createKey(caller, { name: 'Before' });
  await admin.updateKey(caller, key.id, { name: 'After' });
  await admin.updateKey(root(service), caller.key.id, { name: 'Renamed' });
  await admin.rotateKey(caller, key.id, {});

  const told = (await audit(service)).map(({ action, actorName, targetName }) => [
    action,
    actorName,
    targetName,
  ]);
  expect(told.toReversed()).toEqual([
    ['CreateKey', null, 'admin'],
    ['CreateKey', 'admin', 'Before'],
    ['UpdateKey', 'admin', 'After'],
    ['UpdateKey', null, 'Renamed'],
    ['RotateKey', 'Renamed', 'After'],
  ]);
});

it('a refused call has the names of what its caller may know of, and no other', async () => {
  const service = await start();
  const { admin } = service;
  const { key } = await admin.createKey(root(service), { name: 'Of the other', owner: 'other' });
  const bound = await callerWith(service, ['admin:write'], 'acme');
  const reader = await callerWith(service, ['admin:read']);
  await refusal(admin.revokeKey(bound, key.id));
  await refusal(admin.revokeKey(reader, key.id));
  await refusal(admin.revokeKey(reader, nobody));
  await refusal(admin.revokeKey({ authorization: [], address: '' }, key.id));

  const told = (await audit(service, { outcome: 'refused' })).map(({ error, actorName, targetName }) => [
    ...[error, actorName, targetName],
  ]);
  expect(told.toReversed()).toEqual([
    ['NOT_FOUND', 'admin', null],
    ['PERMISSION_DENIED', 'admin', 'Of the other'],
    ['PERMISSION_DENIED', 'admin', null],
    ['UNAUTHENTICATED', null, null],
  ]);
});

it('the names are under the hash of their entry', async () => {
  const service = await start();
  await service.admin.createKey(root(service), { name: 'One' });
  const [entry] = await audit(service);
  const json = auditJson(entry as NonNullable<typeof entry>);

  expect(Object.keys(json).slice(-3)).toEqual(['hash', 'actor_name', 'target_name']);
  expect(hashOfJson(json)).toBe(json.hash);
  expect(hashOfJson({ ...json, target_name: 'Another' })).not.toBe(json.hash);
  const { target_name: _, actor_name: __, ...without } = json;
  expect(hashOfJson(without)).not.toBe(json.hash);
});

it('an entry of before there were names has none, and its hash is right as ever, in one chain with those after', async () => {
  const file = createStoreFile();
  const store = await file.open({ now: () => testNow });
  await store.appendJournal([journalDraft({ target: 'x' })]);
  const [entry] = await listChain(store);
  // What the release before wrote: the members that it knew, and their hash.
  const json = auditJson(entry as NonNullable<typeof entry>);
  const { actor_name: _, target_name: __, hash: ___, ...known } = json;
  const former = hash('sha256', JSON.stringify(known), 'hex');
  await file.tamper(
    `UPDATE journal SET hash = '${former}', body = json_remove(body, '$.actorName', '$.targetName')`,
  );

  const reopened = await file.open({ now: () => testNow });
  await reopened.appendJournal([journalDraft({ action: 'later' })]);
  const [old, later] = await listChain(reopened);
  if (old === undefined || later === undefined) throw new Error('both are there');
  expect([hashOf(old), later.previousHash]).toEqual([former, former]);
  expect(auditJson(old)).toEqual({ ...known, hash: former });
  expect(auditJson(later)).toMatchObject({ actor_name: null, target_name: null, hash: hashOf(later) });
});
