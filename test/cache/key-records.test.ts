import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyTable } from '../../src/cache/key-table.ts';
import { createSharedTerms } from '../../src/cache/shared-terms.ts';
import type { KeyRecord } from '../../src/keys/key.ts';
import type { Digest } from '../../src/keys/secret.ts';
import { keyRecord } from '../records.ts';

describe('a key that was found in memory', () => {
  it('has its id and its name, however long, in whatever characters', () => {
    const table = new KeyTable(100, createSharedTerms());
    const name = fc.oneof(fc.string({ maxLength: 30 }), fc.string({ unit: 'binary', maxLength: 300 }));
    fc.assert(
      fc.property(name, (given) => {
        const record = keyRecord({ name: given });
        table.set(record.digest, record);
        expect(table.get(record.digest)).toMatchObject({ id: record.id, name: given });
      }),
    );
  });

  it('stays what it was when memory forgets it, and when its place is another key’s', () => {
    const table = new KeyTable(1, createSharedTerms());
    const [one, other] = [keyRecord({ owner: 'acme', expiresAt: 5 }), keyRecord()];
    const found = put(table, one);
    expect(put(table, other).place).toBe(found.place);
    expect(found).toMatchObject({ id: one.id, name: one.name, owner: 'acme', expiresAt: 5 });
    expect(found.permissions).toEqual(one.permissions);
  });

  it('has noted beside it what any finding of it notes', () => {
    const table = new KeyTable(10, createSharedTerms());
    const record = keyRecord();
    const [one, again] = [put(table, record), find(table, record.digest)];
    const account = {};
    Object.assign(one, { uses: 2, lastUse: -7, useKind: 1, useAddress: '::1', account, requestRow: 9 });
    expect(again).toMatchObject({ uses: 2, lastUse: -7, useKind: 1, useAddress: '::1', requestRow: 9 });
    expect(again.account).toBe(account);
  });

  it('is found without another copy from the third time on, until memory forgets it', () => {
    const table = new KeyTable(1, createSharedTerms());
    const record = keyRecord();
    const found = [put(table, record), ...[1, 2, 3].map(() => find(table, record.digest))];
    expect(new Set(found).size).toBe(2);
    const other = keyRecord();
    expect(put(table, other)).toMatchObject({ id: other.id, place: found[0]?.place });
    expect(put(table, { ...record, name: 'Renamed' })).toMatchObject({ id: record.id, name: 'Renamed' });
  });

  it('notes nothing beside another that has its place by now', () => {
    const table = new KeyTable(1, createSharedTerms());
    const found = put(table, keyRecord());
    const other = put(table, keyRecord());
    expect(other.place).toBe(found.place);
    Object.assign(found, { uses: 2, useAddress: '::1', account: {}, requestRow: 9 });
    expect(found.uses).toBeLessThan(0);
    expect(found.account).toBeUndefined();
    expect(other).toMatchObject({ uses: 0, useAddress: '', account: null, requestRow: -1 });
  });

  it('leaves nothing to the next key of its place', () => {
    const table = new KeyTable(1, createSharedTerms());
    for (const name of ['one', 'a name that is longer than there is room for', 'another']) {
      const found = put(table, keyRecord({ name }));
      expect(found).toMatchObject({ name, uses: 0, useAddress: '', account: null, requestRow: -1 });
      Object.assign(found, { account: {}, requestRow: 9 });
    }
  });
});

describe('the place of a key that is forgotten', () => {
  it('is given to no other before what waits of its use was taken', () => {
    const table = new KeyTable(10, createSharedTerms());
    const record = keyRecord({ owner: 'acme' });
    const { heldBy, place } = used(put(table, record));
    table.forget(record.id);
    const others = [keyRecord(), keyRecord(), keyRecord()].map((other) => put(table, other).place);
    expect(others).not.toContain(place);
    expect(heldBy.idAt(place)).toBe(record.id);
    expect(heldBy.takeUse(place)).toMatchObject({ owner: 'acme', scheme: record.scheme, uses: 3 });
    expect(put(table, keyRecord()).place).toBe(place);
  });

  it('has what waits of its use when memory was cleared', () => {
    const table = new KeyTable(10, createSharedTerms());
    const record = keyRecord();
    const { heldBy, place } = used(put(table, record));
    table.clear();
    const again = put(table, record);
    expect(again).toMatchObject({ place, uses: 0 });
    expect(heldBy.idAt(place)).toBe(record.id);
    expect(heldBy.takeUse(place).uses).toBe(3);
    expect(again.uses).toBe(0);
  });
});

function put(table: KeyTable, record: KeyRecord) {
  table.set(record.digest, record);
  return find(table, record.digest);
}

function find(table: KeyTable, digest: Digest) {
  const found = table.get(digest);
  if (found === undefined) throw new Error(`${digest} is not held`);
  return found;
}

function used<Key extends { uses: number }>(key: Key): Key {
  key.uses = 3;
  return key;
}
