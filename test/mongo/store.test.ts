import { inject } from 'vitest';
import { describeStoreContract } from '../store-contract.ts';
import { createSetting } from './setting.ts';

describeStoreContract('MongoDB', async ({ now }) => {
  const setting = await createSetting(inject('mongoUri'));
  let store = setting.store({ now });
  const again = async () => {
    await store.close();
    store = setting.store({ now });
    return store;
  };
  return { store, again };
});
