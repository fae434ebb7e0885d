import { describe } from 'vitest';
import type { Store } from '../src/store/store.ts';
import { digestContract } from './store-contract/digests.ts';
import { dutyContract } from './store-contract/duties.ts';
import { expiryContract } from './store-contract/expiring.ts';
import { externalIdContract } from './store-contract/external-ids.ts';
import { feedContract } from './store-contract/feed.ts';
import { firstKeyContract } from './store-contract/first-key.ts';
import { identityKeyContract } from './store-contract/identity-keys.ts';
import { importContract } from './store-contract/imports.ts';
import { journalContract } from './store-contract/journal.ts';
import { journalPageContract } from './store-contract/journal-pages.ts';
import { journalledChangeContract } from './store-contract/journalled-changes.ts';
import { keyContract } from './store-contract/keys.ts';
import { listContract } from './store-contract/lists.ts';
import { orderContract } from './store-contract/orders.ts';
import { ownerContract } from './store-contract/owners.ts';
import { portalSessionContract } from './store-contract/portal-sessions.ts';
import { replaceContract } from './store-contract/replace.ts';
import { requestContract } from './store-contract/requests.ts';
import { roleContract } from './store-contract/roles.ts';
import { rotateContract } from './store-contract/rotate.ts';
import { searchContract } from './store-contract/searches.ts';
import { addressContract } from './store-contract/use/addresses.ts';
import { countedUseContract } from './store-contract/use/counted-use.ts';
import { countContract } from './store-contract/use/counts.ts';
import { limitContract } from './store-contract/use/limits.ts';
import { requestLogContract } from './store-contract/use/request-log.ts';
import { usageContract } from './store-contract/use/usage.ts';
import { usageSumContract } from './store-contract/use/usage-sums.ts';

export interface StoreUnderTest {
  /** On data that nobody else has, not opened yet. */
  readonly store: Store;
  /** Closes what is open and makes another store on the same data; null where data end with the store. */
  readonly again: (() => Promise<Store>) | null;
}

/** Removes what it made when the test has finished. */
export type CreateStore = (clock: { readonly now: () => number }) => Promise<StoreUnderTest>;

/** Every sentence of `src/store/store.ts`, as a test of one implementation. */
export function describeStoreContract(name: string, createStore: CreateStore): void {
  describe(`the store contract on ${name}`, () => {
    keyContract(createStore);
    replaceContract(createStore);
    firstKeyContract(createStore);
    listContract(createStore);
    searchContract(createStore);
    countContract(createStore);
    orderContract(createStore);
    externalIdContract(createStore);
    roleContract(createStore);
    requestContract(createStore);
    ownerContract(createStore);
    limitContract(createStore);
    usageContract(createStore);
    countedUseContract(createStore);
    usageSumContract(createStore);
    requestLogContract(createStore);
    feedContract(createStore);
    importContract(createStore);
    rotateContract(createStore);
    digestContract(createStore);
    journalContract(createStore);
    journalPageContract(createStore);
    journalledChangeContract(createStore);
    addressContract(createStore);
    expiryContract(createStore);
    dutyContract(createStore);
    identityKeyContract(createStore);
    portalSessionContract(createStore);
  });
}
