import { beforeAll, expect, it } from 'vitest';
import { callerWith, root } from '../admin-calls.ts';
import { createTestService, type TestService } from '../service.ts';

let service: TestService;

beforeAll(async () => {
  service = await createTestService();
  return () => service.store.close();
});

async function make(input: Readonly<Record<string, unknown>>) {
  const { key, secret } = await service.admin.createKey(root(service), input);
  return { ...key, secret: secret?.reveal() ?? '' };
}

async function found(input: Readonly<Record<string, unknown>>) {
  const { keys } = await service.admin.listKeys(root(service), input);
  return keys.map(({ id }) => id);
}

const field = (name: string, description = /./) => ({
  ...{ code: 'INVALID_ARGUMENT' },
  violations: [{ field: name, description: expect.stringMatching(description) }],
});

it('finds a key by its id, what is shown of it, its last four and part of its name', async () => {
  const key = await make({ name: 'Cafe\u0301 Nord' });
  await make({ name: 'another' });
  const { id, prefix, last4, secret } = key;
  for (const search of [
    ...[id, prefix, `${prefix}…${last4}`, `${prefix}...${last4}`, secret.slice(0, prefix.length + 5)],
    ...[last4, ` ${last4} `, 'CAFÉ', 'é nord', prefix.slice(0, -1)],
  ]) {
    expect([search, (await found({ search })).includes(id)]).toEqual([search, true]);
  }
  for (const search of [id, `${prefix}…${last4}`]) expect(await found({ search })).toEqual([id]);
  expect(await found({ search: prefix, owner: 'acme' })).toEqual([]);
  expect(await found({ search: 'nobody has this' })).toEqual([]);
});

it("finds a key by its labels' values, alone or as name=value, and for many at once", async () => {
  const key = await make({ name: 'labelled', labels: { team: 'Grid', tier: 'gold' } });
  await make({ name: 'unlike', labels: { grid: 'team' } });
  for (const search of ['team=grid', 'Team=GR', 'gold', 'tier=']) {
    expect([search, await found({ search })]).toEqual([search, [key.id]]);
    const filter = { search };
    const dryRun = await service.admin.revokeKeys(root(service), { filter, dry_run: true });
    expect(dryRun).toMatchObject({ matched: 1 });
    const { totalSize } = await service.admin.listKeys(root(service), { search, include_total: true });
    expect(totalSize).toBe(1);
  }
  const updated = await service.admin.updateKey(root(service), key.id, { labels: {} });
  expect(updated.key.labels).toEqual({});
  expect(await found({ search: 'team=grid' })).toEqual([]);
});

it('finds by its name a key whose name looks like an id or the beginning of a key', async () => {
  const [one, two] = [`key_${'0'.repeat(26)}`, 'pst_live_zzzz'];
  const [first, second] = [await make({ name: `after ${one}` }), await make({ name: `like ${two}` })];
  expect([await found({ search: one }), await found({ search: two })]).toEqual([[first.id], [second.id]]);
});

it('takes a whole key in no search, which stands in URLs, and says where it is found', async () => {
  const { secret } = await make({ name: 'whole' });
  for (const [name, text] of [
    ...[['search', secret] as const, ['search', `Bearer ${secret}`] as const],
    ['name_contains', secret] as const,
  ]) {
    await expect(found({ [name]: text })).rejects.toMatchObject(field(name, /api-keys:find/));
  }
  for (const search of ['', '  ', '\u200b']) await expect(found({ search })).rejects.toThrow('search');
});

it('finds a key by its whole secret, for those who may see it', async () => {
  const { admin } = service;
  const key = await make({ name: 'by secret', owner: 'acme' });
  const input = { key: key.secret };
  const none = { code: 'NOT_FOUND', reason: 'KEY_NOT_FOUND' };

  expect(await admin.findKey(root(service), input)).toMatchObject({ id: key.id, name: 'by secret' });
  expect(await admin.findKey(await callerWith(service, ['admin:read'], 'acme'), input)).toMatchObject({
    id: key.id,
  });
  await expect(admin.findKey(await callerWith(service, ['admin:read'], 'else'), input)).rejects.toMatchObject(
    none,
  );
  await expect(admin.findKey(root(service), { key: `${key.secret}x` })).rejects.toMatchObject(none);
  await expect(admin.findKey(root(service), {})).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  const { events } = await admin.listAuditEvents(root(service), {});
  expect(JSON.stringify(events)).not.toContain(key.secret.slice(10, 30));
});

it('holds a page token to its search', async () => {
  const { admin } = service;
  for (const name of ['Paged 1', 'Paged 2', 'Paged 3']) await make({ name });
  const ask = (input: object) => admin.listKeys(root(service), { page_size: 2, ...input });

  const { keys, nextPageToken: page_token } = await ask({ search: 'paged' });
  expect(keys.map(({ name }) => name)).toEqual(['Paged 3', 'Paged 2']);
  expect((await ask({ search: 'paged', page_token })).keys.map(({ name }) => name)).toEqual(['Paged 1']);
  for (const search of ['pag', undefined]) {
    await expect(ask({ search, page_token })).rejects.toMatchObject(field('page_token'));
  }
});

it('names the known ones to a filter by a scheme or an environment that nobody knows', async () => {
  await expect(found({ scheme: 'mir' })).rejects.toMatchObject(
    field('scheme', /: postern, .*did you mean mira\?$/),
  );
  await expect(found({ environment: 'prod' })).rejects.toMatchObject(
    field('environment', /there are: live, test/),
  );
  expect(await found({ scheme: 'mira' })).toEqual([]);
  expect(await found({ owner: 'nobody' })).toEqual([]);
});

it('cuts blanks off a name, and refuses one that nobody can see, wherever one is given', async () => {
  const { admin } = service;
  const me = root(service);
  const { id } = await make({ name: '  Asset\u00a0' });
  expect(await admin.getKey(me, id)).toMatchObject({ name: 'Asset' });
  for (const name of ['   ', '\u200b', '\u2060', '\u00ad', '\u3164', '\u0301', '\u2800']) {
    await expect(make({ name })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(admin.updateKey(me, id, { name })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    const keys = [{ sha256: '1'.repeat(64), name }];
    expect((await admin.importKeys(me, { keys })).failures).toMatchObject([{ field: 'name' }]);
    await expect(make({ name: 'a', labels: { team: `${name}\u200b` } })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  }
  expect(await make({ name: 'Cafe\u0301' })).toMatchObject({ name: 'Cafe\u0301' });
  expect(await make({ name: ` ${'x'.repeat(200)} ` })).toMatchObject({ name: 'x'.repeat(200) });
});
