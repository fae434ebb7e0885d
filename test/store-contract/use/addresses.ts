import { expect, it } from 'vitest';
import { type AddressUse, keyAddressesMax } from '../../../src/journal/journal-store.ts';
import type { KeyId } from '../../../src/keys/key.ts';
import { StoreUnavailable } from '../../../src/store/store.ts';
import { keyRecord } from '../../records.ts';
import type { CreateStore } from '../../store-contract.ts';
import { insertAll, nextId, opened, testNow } from '../setting.ts';

/** The addresses that keys were used from. */
export function addressContract(createStore: CreateStore): void {
  it('takes the first address of a key for nothing new', async () => {
    const { store, one, two } = await withKeys(createStore);
    expect(await store.noteAddresses([use(one, '192.0.2.1'), use(two, '192.0.2.2')])).toEqual([]);
    expect(await store.noteAddresses([use(one, '192.0.2.1')])).toEqual([]);
  });

  it('tells of each further address of a key, once', async () => {
    const { store, one, two, reopen } = await withKeys(createStore);
    await store.noteAddresses([use(one, '192.0.2.1'), use(two, '2001:db8::1')]);
    const further = [use(one, '192.0.2.2'), use(one, '2001:db8::1')];
    expect(await store.noteAddresses([use(one, '192.0.2.1'), ...further, use(two, '2001:db8::1')])).toEqual(
      further,
    );
    const another = await reopen();
    expect(await another.noteAddresses(further)).toEqual([]);
    expect(await another.noteAddresses([use(two, '192.0.2.2')])).toEqual([use(two, '192.0.2.2')]);
  });

  it('takes what is noted at once as noted in that order', async () => {
    const { store, one, two } = await withKeys(createStore);
    const uses = [
      ...[use(one, '192.0.2.1'), use(two, '192.0.2.1'), use(one, '192.0.2.2'), use(one, '192.0.2.1')],
      ...[use(one, '192.0.2.2'), use(two, '192.0.2.1'), use(two, '192.0.2.3')],
    ];
    expect(await store.noteAddresses(uses)).toEqual([use(one, '192.0.2.2'), use(two, '192.0.2.3')]);
  });

  it('tells of an address once, however many note it at once', async () => {
    const { store, one } = await withKeys(createStore);
    await store.noteAddresses([use(one, '192.0.2.1')]);
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => store.noteAddresses([use(one, '192.0.2.2')])),
    );
    expect(answers.flat()).toEqual([use(one, '192.0.2.2')]);
  });

  it('remembers so many of a key, past which nothing is new any more, and those of others all the same', async () => {
    const { store, one, two } = await withKeys(createStore);
    const uses = Array.from({ length: keyAddressesMax + 5 }, (_, host) => use(one, `198.51.100.${host}`));
    expect(await store.noteAddresses(uses.slice(0, 60))).toEqual(uses.slice(1, 60));
    expect(await store.noteAddresses(uses)).toEqual(uses.slice(60, keyAddressesMax));
    expect(await store.noteAddresses(uses)).toEqual([]);
    expect(await store.noteAddresses([use(two, '192.0.2.1'), use(two, '192.0.2.2')])).toHaveLength(1);
  });

  it('notes nothing when there is nothing', async () => {
    const { store } = await opened(createStore);
    expect(await store.noteAddresses([])).toEqual([]);
  });

  it('rejects noting addresses while it is not open with StoreUnavailable', async () => {
    const { store } = await createStore({ now: () => testNow });
    await expect(store.noteAddresses([use(nextId(), '192.0.2.1')])).rejects.toThrow(StoreUnavailable);
  });
}

function use(key: KeyId, address: string): AddressUse {
  return { key, address };
}

async function withKeys(createStore: CreateStore) {
  const { store, reopen } = await opened(createStore);
  const [one = keyRecord(), two = keyRecord()] = await insertAll(store, [{}, {}]);
  return { store, reopen, one: one.id, two: two.id };
}
