import { expect, it } from 'vitest';
import { createShowKeys } from '../../src/admin/keys/shown-keys.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { keyRecord, ownerRecord } from '../records.ts';

const now = () => Date.UTC(2031, 0, 1);
const away = () => Promise.reject(new StoreUnavailable('away'));

it('answers a change that was made though nobody can tell any more whether the owner blocks the key', async () => {
  const show = createShowKeys({ store: { getOwners: away }, now });
  const key = keyRecord({ owner: 'acme' });

  expect(await show.changed({ key, secret: 'shown once' })).toEqual({
    ...{ key: { ...key, blocked: null }, secret: 'shown once' },
  });
  await expect(show.one(key)).rejects.toThrow(StoreUnavailable);
  await expect(show.all([key])).rejects.toThrow(StoreUnavailable);
});

it('asks for each owner of active keys once, and for nobody where there is none', async () => {
  const asked: (readonly string[])[] = [];
  const getOwners = async (ids: readonly string[]) => {
    asked.push(ids);
    return [ownerRecord({ id: 'acme', suspended: true }), ownerRecord({ id: 'other' })];
  };
  const show = createShowKeys({ store: { getOwners }, now });
  const keys = ['acme', 'acme', 'other', null].map((owner) => keyRecord({ owner }));
  const ended = keyRecord({ owner: 'gone', revokedAt: 1 });

  const shown = await show.all([...keys, ended]);

  expect(shown.map(({ blocked }) => blocked)).toEqual(['owner_inactive', 'owner_inactive', null, null, null]);
  expect(asked).toEqual([['acme', 'other']]);
  await show.all([ended, keyRecord()]);
  expect(asked).toHaveLength(1);
});
