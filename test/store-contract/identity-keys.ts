import { expect, it } from 'vitest';
import type { CreateStore } from '../store-contract.ts';
import { opened, testNow } from './setting.ts';

/** Keys of identity tokens, which a fleet shares. */
export function identityKeyContract(createStore: CreateStore): void {
  it('keeps keys of identity tokens by generation, and one of each, whoever comes first', async () => {
    const { store, reopen } = await opened(createStore);
    expect(await store.listIdentityKeys()).toEqual([]);
    const key = (generation: number, privateKey = `key ${generation}`) => ({
      ...{ generation, privateKey, createdAt: testNow + generation },
    });
    const added = await Promise.all(['a', 'b', 'c'].map((text) => store.addIdentityKey(key(1, text))));
    expect(added.filter(Boolean).length).toBe(1);
    const [first] = await store.listIdentityKeys();
    expect(first).toEqual(key(1, ['a', 'b', 'c'][added.indexOf(true)]));
    expect(await store.addIdentityKey(key(3))).toBe(true);
    expect(await store.addIdentityKey(key(2))).toBe(true);
    const seen = await reopen();
    expect((await seen.listIdentityKeys()).map(({ generation }) => generation)).toEqual([1, 2, 3]);
    await seen.removeIdentityKeysBefore(3);
    expect(await seen.listIdentityKeys()).toEqual([key(3)]);
  });
}
