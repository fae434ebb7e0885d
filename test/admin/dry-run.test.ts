import { describe, expect, it, onTestFinished } from 'vitest';
import { mintSecret } from '../../src/schemes/scheme.ts';
import { createSqliteStore } from '../../src/sqlite/store.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { createTestService } from '../service.ts';

it('says to whoever tries a key what is wrong with a store that is there', async () => {
  const store = createSqliteStore({ path: ':memory:', now: Date.now });
  const damaged = () => Promise.reject(new StoreUnavailable('torn', { trouble: 'damaged' }));
  const { admin, schemes, adminAuthorization } = await createTestService({
    store: { ...store, findKey: damaged },
  });
  onTestFinished(() => store.close());
  const key = mintSecret(schemes[0], 'live')?.secret.reveal();

  const tried = admin.verifyKey({ authorization: [adminAuthorization], address: '192.0.2.1' }, { key });

  await expect(tried).rejects.toMatchObject({ name: 'StoreUnavailable', trouble: 'damaged' });
});

describe('a key that is tried for a route that nobody can serve', () => {
  it.each([
    ['scheme', { scheme: 'no-such-scheme' }],
    ['scheme, though another one is named', { scheme: 'postern,no-such-scheme' }],
    ['environment', { environment: 'no-such-environment' }],
    ['environment of its scheme', { scheme: 'postern', environment: 'sandbox' }],
  ])('is not allowed, and the store is not blamed: an unknown %s', async (_, route) => {
    const { admin, adminAuthorization, schemes } = await createTestService();
    const call = { authorization: [adminAuthorization], address: '192.0.2.1' };
    const made = await admin.createKey(call, { name: 'tried', scheme: 'postern' });
    const secret = made.secret?.reveal() ?? '';
    const known = await admin.verifyKey(call, { key: secret, scheme: 'postern', environment: 'live' });
    expect(known).toMatchObject({ allowed: true, reason: null, status: 200 });
    // As a Check of that route would be answered, whatever the key is.
    const keys = [secret, mintSecret(schemes[0], 'live')?.secret.reveal(), 'no key at all'];
    for (const key of keys) {
      expect(await admin.verifyKey(call, { key, ...route })).toEqual({
        ...{ allowed: false, reason: 'unavailable', status: 503, keyId: null },
      });
    }
  });
});
