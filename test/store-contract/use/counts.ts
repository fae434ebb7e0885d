import { expect, it } from 'vitest';
import type { KeyFilter } from '../../../src/store/records/key-filter.ts';
import type { CreateStore } from '../../store-contract.ts';
import { insertAll, opened, testNow } from '../setting.ts';

/** How many keys a list has. */
export function countContract(createStore: CreateStore): void {
  it('counts what a filter keeps, up to what is asked for', async () => {
    const { store } = await opened(createStore);
    const some = {
      owner: 'acme',
      scheme: 'kolla',
      permissions: ['read'],
      roles: ['support'],
      name: 'of Acme',
    };
    await insertAll(store, [
      ...Array(7).fill(some),
      ...Array(5).fill({ ...some, revokedAt: testNow - 1 }),
      ...Array(4).fill({ expiresAt: testNow + 1 }),
      ...Array(3).fill({ owner: 'acme', disabledAt: testNow - 1, lastUsedAt: testNow - 9_000 }),
    ]);
    const filters: Omit<KeyFilter, 'now'>[] = [
      ...[{}, { owner: 'acme' }, { owner: 'nobody' }, { scheme: 'kolla' }, { permission: 'read' }],
      ...[{ role: 'support' }, { nameContains: 'acme' }, { owner: 'acme', state: 'active' as const }],
      ...(['active', 'revoked', 'disabled', 'expired'] as const).map((state) => ({ state })),
      ...[{ unusedSince: testNow }, { expiresBefore: testNow + 2 }, { unusedSince: testNow, owner: 'acme' }],
      { expiresBefore: testNow + 2, state: 'active' as const },
      { unusedSince: testNow, expiresBefore: testNow + 2 },
    ];
    for (const filter of filters) {
      const { length } = await store.listKeys({ ...filter, now: testNow }, { before: null, size: 100 });
      const counted = (max: number) => store.countListed({ ...filter, now: testNow }, max);
      expect([filter, await counted(100)]).toEqual([filter, length]);
      expect([filter, await counted(2)]).toEqual([filter, Math.min(2, length)]);
    }
    expect(await store.countListed({ now: testNow }, 100)).toBe(19);
  });
}
