import { expect, inject, it } from 'vitest';
import { insertAll, listIds, testNow } from '../store-contract/setting.ts';
import { profile } from './profile.ts';
import { createSetting } from './setting.ts';

async function openStore() {
  const setting = await createSetting(inject('mongoUri'));
  const store = setting.store();
  await store.open();
  return { setting, store };
}

const search = (text: string) => ({ search: { kind: 'text', text } as const });

it('finds few keys by an index for each way of a search, and looks at no other document', async () => {
  const { setting, store } = await openStore();
  const [one] = await insertAll(store, [
    { name: 'Billing', last4: 'x9Kq', labels: { team: 'Grid' } },
    ...Array.from({ length: 300 }, (_, at) => ({ name: `other ${at}`, labels: { team: 'Ops' } })),
  ]);
  for (const text of ['x9kq', 'team=grid', 'illin']) {
    const profiled = await profile(setting, 'keys', async () => {
      const page = { before: null, size: 10 };
      const found = await store.listKeys({ ...search(text), now: testNow }, page);
      expect([text, found.map(({ id }) => id)]).toEqual([text, [one?.id]]);
      expect(await store.countListed({ ...search(text), now: testNow }, 10)).toBe(1);
    });
    expect(profiled.length).toBeGreaterThan(2);
    for (const { planSummary, docsExamined } of profiled) {
      expect([text, planSummary]).toEqual([text, expect.stringMatching(/^IXSCAN|^EOF/)]);
      expect([text, planSummary, docsExamined <= 1]).toEqual([text, planSummary, true]);
    }
  }
});

it('finds the labels of documents that an older release wrote', async () => {
  const { setting, store } = await openStore();
  const [one, two] = await insertAll(store, [{ labels: { team: 'Grid' } }, { labels: { team: 'Grid' } }]);
  const keys = setting.client.db().collection<{ _id: string }>('keys');
  await keys.updateOne({ _id: one?.id as string }, { $unset: { labels_folded: '' } });
  expect(await listIds(store, search('grid'))).toEqual([two?.id, one?.id]);
  // One that changed labels since has left what was folded before.
  await keys.updateOne({ _id: two?.id as string }, { $set: { labels: [['team', 'Ops']] } });
  expect(await listIds(store, search('team=grid'))).toEqual([one?.id]);
});
