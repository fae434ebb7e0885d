import { expect, it } from 'vitest';
import type { PortalSessionRecord } from '../../src/keys/portal-session.ts';
import type { CreateStore } from '../store-contract.ts';
import { journalDraft, listActions, opened, testNow } from './setting.ts';

/** Links to the console, which every replica knows. */
export function portalSessionContract(createStore: CreateStore): void {
  it('keeps a portal session as it was put, and tells every other store on the same data', async () => {
    const { store, reopen } = await opened(createStore);
    const first = portalSession();
    const second = portalSession({
      id: 'ps_other',
      returnUrl: null,
      openedAt: testNow,
      endedAt: testNow + 1,
    });
    expect(await store.getPortalSession(first.id)).toBeNull();
    for (const session of [first, second]) expect(await store.putPortalSession(session, 0)).toBe(true);
    const again = await reopen();
    expect(await again.getPortalSession(first.id)).toEqual(first);
    expect(await again.getPortalSession('ps_other')).toEqual(second);
  });

  it('puts a portal session only where it is of the version that is meant, with its entry in the journal', async () => {
    const { store } = await opened(createStore);
    const first = portalSession();
    const draft = (action: string) => journalDraft({ action });
    expect(await store.putPortalSession(first, 1, draft('Wrong'))).toBe(false);
    expect(await store.putPortalSession(first, 0, draft('CreatePortalSession'))).toBe(true);
    expect(await store.putPortalSession(first, 0, draft('Wrong'))).toBe(false);
    const once = { ...first, openedAt: testNow, version: 2 };
    const tries = await Promise.all(
      Array.from({ length: 8 }, () => store.putPortalSession(once, 1, draft('SignIn'))),
    );
    expect(tries.filter(Boolean)).toHaveLength(1);
    expect(await store.getPortalSession(first.id)).toEqual(once);
    expect(await listActions(store)).toEqual(['CreatePortalSession', 'SignIn']);
  });
}

export function portalSession(given: Partial<PortalSessionRecord> = {}): PortalSessionRecord {
  return {
    id: 'ps_0123456789abcdefghijkl',
    owner: 'acme',
    permissions: ['keys:read', 'usage:read'],
    returnUrl: 'https://portal.example.com/settings?tab=keys',
    tokenDigest: 'digest',
    createdAt: testNow,
    openUntil: testNow + 300_000,
    openedAt: null,
    expiresAt: testNow + 3_600_000,
    endedAt: null,
    version: 1,
    ...given,
  };
}
