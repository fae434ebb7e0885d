import { expect, it, onTestFinished } from 'vitest';
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
