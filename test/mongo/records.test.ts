import fc from 'fast-check';
import { BSON } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { fromDocument, toDocument } from '../../src/mongo/records/keys/records.ts';
import { BadRecord } from '../../src/store/store.ts';
import { keyRecord } from '../records.ts';
import { anyKeyRecord, expectSameKey, nextId, retentionMs, testNow } from '../store-contract/setting.ts';

/** Absent from documents that earlier versions wrote. */
const laterMembers = [
  'rotated_to',
  'spender',
  'created_by',
  'import_id',
  'rate_limits',
  'roles',
  'principals',
  'external_id',
  'revived_at',
];

describe('a key as a document', () => {
  it('is one too without what earlier versions did not write, and spends its own limit then', () => {
    const key = keyRecord({ id: nextId() });
    const document = Object.entries(toDocument(key, retentionMs));
    const earlier = document.filter(([member]) => !laterMembers.includes(member));
    expect(earlier).toHaveLength(document.length - laterMembers.length);
    expectSameKey(fromDocument(Object.fromEntries(earlier)), {
      ...{ ...key, rotatedTo: null, spender: key.id },
      ...{ createdBy: null, importId: null, revivedAt: null },
    });
  });

  it('comes back the same, whatever is in it', () => {
    fc.assert(
      fc.property(anyKeyRecord, (record) => {
        const bytes = BSON.serialize(toDocument(record, retentionMs));
        expectSameKey(fromDocument(BSON.deserialize(bytes)), record);
      }),
    );
  });

  it('has no field whose name comes from a user', () => {
    const names = Object.keys(toDocument(keyRecord({ id: nextId() }), retentionMs));
    fc.assert(
      fc.property(anyKeyRecord, (record) => {
        const document = toDocument(record, retentionMs);
        expect(Object.keys(document)).toEqual(names);
        expect(document.labels.every(Array.isArray)).toBe(true);
      }),
    );
  });

  it('is to be purged at a Date, the end and the retention after it, or never', () => {
    const purgeAt = (given: object) =>
      toDocument(keyRecord({ id: nextId(), ...given }), retentionMs).purge_at;
    expect(purgeAt({ expiresAt: testNow })).toEqual(new Date(testNow + retentionMs));
    expect(purgeAt({ expiresAt: testNow, revokedAt: testNow - 1 })).toEqual(
      new Date(testNow - 1 + retentionMs),
    );
    expect(purgeAt({ disabledAt: testNow })).toBe(null);
  });

  it('is refused with RangeError when a time is none that a Date can hold', () => {
    expect(() => toDocument(keyRecord({ id: nextId(), expiresAt: 9e15 }), 0)).toThrow(RangeError);
  });

  it('is broken when any member is missing or of another type', () => {
    const document = toDocument(keyRecord({ id: nextId() }), retentionMs);
    for (const member of Object.keys(document)) {
      if (['name_folded', 'labels_folded', 'purge_at', 'held_external_id'].includes(member)) continue;
      if (!laterMembers.includes(member)) {
        expect(() => fromDocument({ ...document, [member]: undefined }), member).toThrow(BadRecord);
      }
      expect(() => fromDocument({ ...document, [member]: { $gt: '' } }), member).toThrow(BadRecord);
    }
    expect(() => fromDocument({ ...document, labels: [['a']] })).toThrow(BadRecord);
    expect(() => fromDocument({ ...document, labels: [['a', 1]] })).toThrow(BadRecord);
    expect(() => fromDocument({ ...document, expires_at: testNow })).toThrow(BadRecord);
    expect(() => fromDocument({ ...document, expires_at: new Date(Number.NaN) })).toThrow(BadRecord);
  });

  it('says of a broken one which member it is, and quotes no value', () => {
    const key = keyRecord({ id: nextId() });
    const broken = { ...toDocument(key, retentionMs), permissions: 'all of them' };
    expect(() => fromDocument(broken)).toThrow(
      `the stored record of ${key.id} is not a key: permissions is missing or of the wrong type`,
    );
  });
});
