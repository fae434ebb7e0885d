import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type KeyId, type KeyRecord, type KeyState, keyState } from '../../src/keys/key.ts';
import { foldedForms, foldText } from '../../src/keys/name-text.ts';
import type { KeyFilter } from '../../src/store/records/key-filter.ts';
import { keyRecord } from '../records.ts';
import type { CreateStore } from '../store-contract.ts';
import { insertAll, listIds, nextId, opened, retentionMs, strangeTexts, testNow } from './setting.ts';

/** Pages and filters. */
export function listContract(createStore: CreateStore): void {
  it('lists newest first, in whatever order they were inserted', async () => {
    const { store } = await opened(createStore);
    const ids = Array.from({ length: 5 }, nextId);
    await insertAll(
      store,
      [2, 0, 4, 1, 3].map((place) => ({ id: ids[place] ?? nextId() })),
    );
    expect(await listIds(store)).toEqual(ids.reverse());
  });

  it('gives at most as many as the page holds, older than what is given', async () => {
    const { store } = await opened(createStore);
    const ids = (await insertAll(store, Array(7).fill({}))).map(({ id }) => id).reverse();
    const page = async (before: KeyId | null, size: number) =>
      (await store.listKeys({ now: testNow }, { before, size })).map(({ id }) => id);
    expect(await page(null, 3)).toEqual(ids.slice(0, 3));
    expect(await page(ids[2] ?? null, 3)).toEqual(ids.slice(3, 6));
    expect(await page(ids[5] ?? null, 3)).toEqual(ids.slice(6));
    expect(await page(ids[6] ?? null, 3)).toEqual([]);
    // A key that is gone still marks the place.
    expect(await page(nextId(), 2)).toEqual(ids.slice(0, 2));
  });

  it('gives each key once while keys are made and revoked between the pages', async () => {
    const { store } = await opened(createStore);
    const there = await insertAll(store, Array(10).fill({}));
    const seen: KeyId[] = [];
    for (let before: KeyId | null = null; ; before = seen.at(-1) ?? null) {
      const page: KeyRecord[] = await store.listKeys({ now: testNow }, { before, size: 3 });
      seen.push(...page.map(({ id }) => id));
      if (page.length < 3) break;
      await insertAll(store, [{}]);
      const last = keyRecord({ ...page.at(-1) });
      await store.replaceKey({ ...last, revokedAt: testNow, version: last.version + 1 }, 1, retentionMs);
    }
    expect(seen).toEqual(there.map(({ id }) => id).reverse());
  });

  it('filters by owner, scheme, environment and permission, each exactly', async () => {
    const { store } = await opened(createStore);
    const given = { owner: 'acme', scheme: 'kolla', environment: 'test', permissions: ['read', 'write'] };
    const [key] = await insertAll(store, [given, {}, { owner: 'Acme', permissions: ['rea', 'read:all'] }]);
    const near = { owner: 'acm', scheme: 'kolla2', environment: 'TEST', permission: 'rea%' };
    for (const member of ['owner', 'scheme', 'environment'] as const) {
      expect(await listIds(store, { [member]: given[member] })).toEqual([key?.id]);
      expect(await listIds(store, { [member]: near[member] })).toEqual([]);
    }
    expect(await listIds(store, { permission: 'write' })).toEqual([key?.id]);
    expect(await listIds(store, { permission: near.permission })).toEqual([]);
    expect(await listIds(store, { owner: '' })).toEqual([]);
  });

  it('filters by a part of the name, letter case aside', async () => {
    const { store } = await opened(createStore);
    const [first, second] = await insertAll(store, [{ name: 'Straße 5 İZMİR' }, { name: 'a.c [prod]' }]);
    for (const part of ['STRASSE', 'a_c', 'abc', '[prod', 'ß 5 i̇zm', '.', '(']) {
      const expected = [second, first].filter((key) => isNamed(key?.name ?? '', part));
      expect(await listIds(store, { nameContains: part })).toEqual(expected.map((key) => key?.id));
    }
  });

  it('finds a name in any case and any Unicode form', async () => {
    const { store } = await opened(createStore);
    const names = ['Cafe\u0301 Nord', 'CAFÉ Süd', 'ＦＵＬＬ width', 'ﬁle', 'ΟΔΟΣ', 'a\u200bb', 'Straße'];
    const keys = await insertAll(
      store,
      names.map((name) => ({ name })),
    );
    const found = async (nameContains: string) => {
      const ids = await listIds(store, { nameContains });
      return keys.filter(({ id }) => ids.includes(id)).map(({ name }) => name);
    };
    for (const part of ['café', 'cafe\u0301', 'CAFÉ', 'ＣＡＦÉ']) {
      expect([part, await found(part)]).toEqual([part, names.slice(0, 2)]);
    }
    expect(await found('full')).toEqual(['ＦＵＬＬ width']);
    expect(await found('FILE')).toEqual(['ﬁle']);
    for (const part of ['οδος', 'οδοσ', 'ΟΔΟΣ']) expect([part, await found(part)]).toEqual([part, ['ΟΔΟΣ']]);
    expect(await found('AB')).toEqual(['a\u200bb']);
    expect(await found('strasse')).toEqual(['Straße']);
  });

  it('takes nothing in a filter for an operator, a pattern or a statement', async () => {
    const { store } = await opened(createStore);
    const given = strangeTexts.map((name) => ({ name, owner: name, permissions: [name] }));
    const records = (await insertAll(store, given)).reverse();
    for (const part of [...strangeTexts, '.*', '^', '%', '_']) {
      const ids = (keep: (key: KeyRecord) => boolean) => records.filter(keep).map(({ id }) => id);
      const named = ids((key) => isNamed(key.name, part));
      expect(await listIds(store, { nameContains: part })).toEqual(named);
      expect(await listIds(store, { owner: part })).toEqual(ids((key) => key.owner === part));
      expect(await listIds(store, { permission: part })).toEqual(ids((key) => key.name === part));
    }
  });

  it('filters by the state that a key has at the time of the filter', async () => {
    const { store } = await opened(createStore);
    const times = [null, testNow - 1, testNow, testNow + 1];
    const given = [null, testNow].flatMap((disabledAt) =>
      [null, testNow].flatMap((revokedAt) =>
        times.map((expiresAt) => ({ disabledAt, revokedAt, expiresAt })),
      ),
    );
    const records = (await insertAll(store, given)).reverse();
    for (const now of [testNow - 1, testNow, testNow + 1]) {
      for (const state of ['active', 'disabled', 'revoked', 'expired'] satisfies KeyState[]) {
        const found = await store.listKeys({ state, now }, { before: null, size: 100 });
        const expected = records.filter((key) => keyState(key, now) === state);
        expect(found.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
      }
    }
  });

  it('keeps what all filters keep', async () => {
    const { store } = await opened(createStore);
    const either = (...texts: [string, string]) => fc.constantFrom(...texts);
    const members = fc.record({
      owner: either('a', 'b'),
      scheme: either('s', 't'),
      environment: either('live', 'test'),
      permissions: fc.subarray(['p', 'q']),
      name: either('Alpha', 'Beta'),
      revokedAt: fc.constantFrom(null, testNow),
    });
    const records = (await insertAll(store, fc.sample(members, 40))).reverse();
    const someFilter = fc.record(
      {
        owner: either('a', 'b'),
        scheme: either('s', 't'),
        environment: either('live', 'test'),
        permission: either('p', 'q'),
        nameContains: either('ALPHA', 'eta'),
        state: fc.constantFrom<KeyState[]>('active', 'revoked'),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(someFilter, async (filter) => {
        const expected = records.filter((key) => keeps({ ...filter, now: testNow }, key));
        expect(await listIds(store, filter)).toEqual(expected.map(({ id }) => id));
      }),
      { numRuns: 60 },
    );
  });
}

/** What the contract says of a filter, in so many words. */
function keeps(filter: KeyFilter, key: KeyRecord): boolean {
  return (
    (filter.owner === undefined || key.owner === filter.owner) &&
    (filter.scheme === undefined || key.scheme === filter.scheme) &&
    (filter.environment === undefined || key.environment === filter.environment) &&
    (filter.state === undefined || keyState(key, filter.now) === filter.state) &&
    (filter.permission === undefined || key.permissions.includes(filter.permission)) &&
    (filter.nameContains === undefined || isNamed(key.name, filter.nameContains))
  );
}

function isNamed(name: string, part: string): boolean {
  return foldedForms(part).some((form) => foldText(name).includes(form));
}
