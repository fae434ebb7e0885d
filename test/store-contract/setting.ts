import fc from 'fast-check';
import { expect } from 'vitest';
import {
  emptyJournal,
  hashOf,
  type JournalDraft,
  type JournalEntry,
  type JournalHead,
} from '../../src/journal/journal.ts';
import { createKeyIds, type KeyId, type KeyRecord } from '../../src/keys/key.ts';
import { type Limit, periods } from '../../src/keys/limit.ts';
import type { Store } from '../../src/store/store.ts';
import { digestOf, keyRecord } from '../records.ts';
import type { CreateStore } from '../store-contract.ts';

export const dayMs = 86_400_000;
export const retentionMs = 30 * dayMs;
/** The time in every test of the contract. Later than any server's clock, so that no TTL index interferes. */
export const testNow = Date.UTC(2040, 0, 1);

export const nextId = createKeyIds(() => testNow);

export async function opened(
  createStore: CreateStore,
): Promise<{ store: Store; reopen: () => Promise<Store> }> {
  const { store, again } = await createStore({ now: () => testNow });
  await store.open();
  const reopen = async () => {
    if (again === null) return store;
    const another = await again();
    await another.open();
    return another;
  };
  return { store, reopen };
}

/** What an admin call would write into the journal, apart from what is given. */
export function journalDraft(given: Partial<JournalDraft> = {}): JournalDraft {
  return {
    kind: 'call',
    actor: 'key_admin',
    action: 'UpdateKey',
    target: null,
    owner: null,
    outcome: 'ok',
    error: null,
    address: '192.0.2.1',
    requestId: null,
    before: null,
    after: { name: 'A key' },
    once: null,
    ...given,
  };
}

/** The whole journal, oldest first, once it is sure that it is one chain. */
export async function listChain(store: Store, head: JournalHead = emptyJournal): Promise<JournalEntry[]> {
  const page = { order: 'oldest', after: head.sequence, size: 10_000 } as const;
  const entries = await store.listJournal({}, page);
  let last = head;
  for (const entry of entries) {
    expect(entry.sequence).toBe(last.sequence + 1);
    expect(entry.at).toBeGreaterThanOrEqual(last.at);
    expect(entry.previousHash).toBe(last.hash);
    expect(entry.hash).toBe(hashOf(entry));
    last = entry;
  }
  return entries;
}

/** The actions in the journal, oldest first. */
export async function listActions(store: Store): Promise<string[]> {
  return (await listChain(store)).map(({ action }) => action);
}

/** Inserts them in this order and gives them back. */
export async function insertAll(store: Store, given: readonly Partial<KeyRecord>[]): Promise<KeyRecord[]> {
  const records = given.map((members) => keyRecord({ id: nextId(), ...members }));
  for (const record of records) await store.insertKey(record, retentionMs);
  return records;
}

export async function listIds(store: Store, filter: Omit<Parameters<Store['listKeys']>[0], 'now'> = {}) {
  const page = { before: null, size: 1_000 };
  const keys = await store.listKeys({ ...filter, now: testNow }, page);
  return keys.map((key) => key.id);
}

/** Equality that sees every label, one named `__proto__` too. */
export function expectSameKey(actual: KeyRecord | null, expected: KeyRecord): void {
  const pairs = (key: KeyRecord | null) => Object.entries(key?.labels ?? {}).sort();
  expect({ ...actual, labels: pairs(actual) }).toEqual({ ...expected, labels: pairs(expected) });
}

export const strangeTexts: readonly string[] = [
  '',
  '.',
  'a.b.c',
  '$where',
  '$set.name',
  '__proto__',
  'constructor',
  'it\'s "quoted" \\ `so`',
  "'; DROP TABLE keys; --",
  '%_*?[a-z]{1}(x|y)^$',
  '👩‍👩‍👧 İstanbul ß',
  'spoof\u202Egnp.exe',
  'a\0b',
  '{"json":[null]}',
  '\n\t\r',
  'x'.repeat(200),
];

const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.constantFrom(...strangeTexts));
const texts = fc.array(text, { maxLength: 4 });
// A retention after the last of them is still a date.
const time = fc.integer({ min: 0, max: 4e15 });
const count = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });

const anyId = text.map((id) => id as KeyId);

const anyLimit: fc.Arbitrary<Limit> = fc.record({
  name: fc.constantFrom('default', 'burst', 'monthly'),
  limit: count,
  per: fc.oneof(count, fc.constantFrom(...periods)),
  sharedBy: fc.constantFrom('key' as const, 'owner' as const),
});

/** Any key that could be, of any age and with any text; each has an id and a digest of its own. */
export const anyKeyRecord: fc.Arbitrary<KeyRecord> = fc
  .record({
    name: text,
    scheme: text,
    environment: text,
    prefix: text,
    last4: text,
    owner: fc.option(text),
    permissions: texts,
    roles: texts,
    ipAllowlist: texts,
    principals: texts,
    plan: fc.option(text),
    rateLimits: fc.array(anyLimit, { maxLength: 3 }),
    labels: fc.array(fc.tuple(text, text), { maxLength: 4 }).map((pairs) => Object.fromEntries(pairs)),
    createdAt: time,
    updatedAt: time,
    lastUsedAt: fc.option(time),
    expiresAt: fc.option(time),
    disabledAt: fc.option(time),
    revokedAt: fc.option(time),
    revivedAt: fc.option(time),
    rotatedFrom: fc.option(anyId),
    externalId: fc.option(text),
    createdBy: fc.option(text),
    importId: fc.option(text),
    rotatedTo: fc.option(anyId),
    spender: anyId,
    requestKey: fc.constant(null),
    version: count,
  })
  .map((members) => {
    const id = nextId();
    // Of one owner no two have the same.
    const externalId = members.externalId === null ? null : `${members.externalId}${id}`;
    return { id, digest: digestOf(id), ...members, externalId };
  });
