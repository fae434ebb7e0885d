import { beforeAll, expect, it } from 'vitest';
import { createKeyTerms } from '../../src/admin/keys/key-terms.ts';
import { createPlans } from '../../src/limits/plan.ts';
import type { Scheme } from '../../src/schemes/scheme.ts';
import { root } from '../admin-calls.ts';
import { keyRecord, ownerRecord } from '../records.ts';
import { createTestService, type TestService } from '../service.ts';

let service: TestService;

beforeAll(async () => {
  service = await createTestService();
  return () => service.store.close();
});

const refused = (description: RegExp) => ({
  code: 'INVALID_ARGUMENT',
  violations: [{ field: 'plan', description: expect.stringMatching(description) }],
});

it('refuses a plan that no scheme and no setting knows, on keys and owners, with the name that was meant', async () => {
  const { admin } = service;
  const me = root(service);
  const { key } = await admin.createKey(me, { name: 'a', plan: 'pro' });
  await admin.putOwner(me, 'acme', { plan: 'Pro' });

  for (const change of [
    () => admin.createKey(me, { name: 'b', plan: 'porpoise' }),
    () => admin.createKey(me, { name: 'b', plan: 'porpoise', scheme: 'mira' }),
    () => admin.updateKey(me, key.id, { plan: 'porpoise' }),
    () => admin.putOwner(me, 'acme', { plan: 'porpoise' }),
    () => admin.updateOwner(me, 'acme', { plan: 'porpoise' }),
  ]) {
    await expect(change()).rejects.toMatchObject(
      refused(/no scheme and no setting knows; there are: free, pro/),
    );
  }
  await expect(admin.putOwner(me, 'acme', { plan: 'entreprise' })).rejects.toMatchObject(
    refused(/did you mean enterprise\?$/),
  );
  const keys = [{ sha256: '0'.repeat(64), name: 'c', plan: 'porpoise' }];
  expect(await admin.importKeys(me, { keys })).toMatchObject({
    ...{ imported: 0, failures: [{ index: 0, field: 'plan' }] },
  });
  expect(await admin.getKey(me, key.id)).toMatchObject({ plan: 'pro' });
  expect(await admin.getOwner(me, 'acme')).toMatchObject({ plan: 'Pro' });
});

it('takes any plan where none is configured', () => {
  const [{ ...scheme }] = service.schemes;
  const bare: Scheme = { ...scheme, plans: new Map() };
  const policy = () => ({
    ...{ keySchemes: [bare] as const, environment: 'live', plans: createPlans(new Map()), keyRules: [] },
  });
  const terms = createKeyTerms({ policy, now: () => 0 });
  expect([terms.planFor('porpoise', bare), terms.planFor('porpoise', null)]).toEqual([
    'porpoise',
    'porpoise',
  ]);
});

it('lets a key and an owner be changed that name a plan which is gone, and tells of them', async () => {
  const { admin, store } = service;
  const me = root(service);
  const key = keyRecord({ plan: 'gone' });
  await store.insertKey(key, 1);
  await store.putOwner(ownerRecord({ id: 'left', plan: 'gone' }), 0);

  expect(await admin.updateKey(me, key.id, { name: 'renamed', plan: 'gone' })).toMatchObject({
    key: { name: 'renamed', plan: 'gone' },
  });
  await admin.putOwner(me, 'left', { plan: 'gone', suspended: true });
  expect((await admin.updateOwner(me, 'left', { suspended: false })).owner).toMatchObject({ plan: 'gone' });

  const { findings } = await admin.getDiagnostics(me);
  expect(findings.filter(({ code }) => code === 'plans.unknown')).toMatchObject([
    { level: 'warning', what: expect.stringMatching(/the plan gone, which 1 keys and 1 owners name/) },
  ]);
});
