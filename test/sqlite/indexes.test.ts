import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it, onTestFinished } from 'vitest';
import { idleMoments, type JournalFilter } from '../../src/journal/journal-store.ts';
import type { KeyState } from '../../src/keys/key.ts';
import { journalCounts, journalPage, journalSlice } from '../../src/sqlite/journal/journal-pages.ts';
import { migrations } from '../../src/sqlite/migrations.ts';
import { expiryPage } from '../../src/sqlite/records/keys/expiry-pages.ts';
import { idleQuery } from '../../src/sqlite/records/keys/idle-pages.ts';
import { keyPage, keySlice } from '../../src/sqlite/records/keys/key-pages.ts';
import { recordColumns } from '../../src/sqlite/records/keys/records.ts';
import type { KeyFilter } from '../../src/store/records/key-filter.ts';
import { keyRecord } from '../records.ts';
import { nextId, testNow } from '../store-contract/setting.ts';

const range = { from: null, before: nextId() };
/** How the latest use of each key of a page is found. */
const lastUse = '; CORRELATED SCALAR SUBQUERY 1; SEARCH usage_hours USING PRIMARY KEY (hour=? AND key=?)';
const states: KeyState[] = ['active', 'disabled', 'revoked', 'expired'];
const keyFilters = subsets<Omit<KeyFilter, 'now'>>([
  [{ owner: 'a' }],
  [{ scheme: 'a' }],
  [{ environment: 'a' }],
  states.map((state) => ({ state })),
  [{ permission: 'a' }],
  [{ nameContains: 'a' }],
]);
const journalFilters = subsets<JournalFilter>([
  [{ target: 'a' }],
  [{ owner: 'a' }],
  [{ actor: 'a' }],
  [{ action: 'a' }],
  [{ outcome: 'refused' }],
  [{ kind: 'notice' }],
  [{ since: 1 }],
  [{ until: 2 }],
]);

describe('a page of keys', () => {
  it('begins where the last one ended and is in the order of an index, whatever the filter', () => {
    const plan = planner();
    expect(keyFilters).toHaveLength(2 ** 5 * 5);
    for (const filter of keyFilters) {
      const { sql } = keyPage({ ...filter, now: testNow }, range, 10);
      expect(plan(sql)).toMatch(inOrderFrom(/\b(?:id|key)</));
    }
  });

  it('begins at the end of the index that fits its filter when it is the first', () => {
    const plan = planner();
    const first = (filter: Omit<KeyFilter, 'now'>) =>
      plan(keyPage({ ...filter, now: testNow }, { from: null, before: null }, 10).sql).replace(lastUse, '');
    expect(first({})).toBe('SCAN keys USING INDEX sqlite_autoindex_keys_1');
    expect(first({ owner: 'a' })).toBe('SEARCH keys USING INDEX keys_by_owner (owner=?)');
    expect(first({ scheme: 'a' })).toBe('SEARCH keys USING INDEX keys_by_scheme (scheme=?)');
    expect(first({ environment: 'a' })).toBe('SEARCH keys USING INDEX keys_by_environment (environment=?)');
    expect(first({ state: 'revoked' })).toBe('SCAN keys USING INDEX keys_revoked');
    expect(first({ state: 'disabled' })).toBe('SCAN keys USING INDEX keys_disabled');
    expect(first({ state: 'expired' })).toBe('SCAN keys USING INDEX keys_ending');
    expect(first({ permission: 'a' })).toMatch(
      /^SEARCH permissions USING PRIMARY KEY \(permission=\?\); SEARCH keys/,
    );
  });

  it('finds the last four by an index, once for all that are looked through', () => {
    const plan = planner();
    const search = { kind: 'text', text: 'x9Kq' } as const;
    const found = plan(keyPage({ search, now: testNow }, range, 10).sql);
    expect(found.match(/SEARCH ended USING COVERING INDEX keys_by_last4 \(<expr>=\?\)/g)).toHaveLength(2);
    expect(found).not.toContain('CORRELATED SCALAR SUBQUERY 2');
  });

  it('finds where to stop looking by an index alone', () => {
    const plan = planner();
    for (const filter of keyFilters) {
      const slice = keySlice({ ...filter, now: testNow }, range.before, 10);
      if (slice !== null) expect(plan(slice.sql)).toMatch(inOrderFrom(/\b(?:id|key)</));
    }
  });
});

it('a page of keys that end begins where the last one ended, in the order of an index', () => {
  const plan = planner();
  const { id } = keyRecord();
  const last = { id, expiresAt: 1 };
  for (const expiry of [
    { after: 0, until: 9 },
    { after: 0, until: 9, last },
  ]) {
    expect(plan(expiryPage(expiry, 10).sql)).toMatch(inOrderFrom(/keys_by_end \(.*>.* AND expires_at</));
  }
});

it('a page of keys that may be idle is a range of an index, never sorted, wherever it begins', () => {
  const plan = planner();
  for (const by of idleMoments) {
    const index = by === 'revival' ? 'keys_by_revival' : 'keys_by_last_use';
    const found = plan(idleQuery(by));
    expect(found).toMatch(/^SEARCH keys USING (?:COVERING )?INDEX \S+ \(.*[<>]/);
    expect(found).toContain(index);
    expect(found).not.toContain('TEMP B-TREE');
  }
});

it('a page of the journal begins where the last one ended and is never sorted, whatever the filter', () => {
  const plan = planner();
  expect(journalFilters).toHaveLength(2 ** 8);
  for (const filter of journalFilters) {
    for (const order of ['newest', 'oldest'] as const) {
      const from = order === 'newest' ? /rowid</ : /rowid>/;
      const page = { order, after: 5, size: 10 };
      expect(plan(journalPage(filter, { ...page, to: null }).sql)).toMatch(inOrderFrom(from));
      const slice = journalSlice(filter, page);
      if (slice !== null) expect(plan(slice.sql)).toMatch(inOrderFrom(from));
    }
  }
});

it('a page of the journal is read by the index of what its filter asks for', () => {
  const plan = planner();
  const read = (filter: JournalFilter) =>
    plan(journalPage(filter, { order: 'newest', after: null, to: null, size: 10 }).sql);
  expect(read({})).toBe('SCAN journal');
  for (const column of ['target', 'owner', 'actor', 'action'] as const) {
    expect(read({ outcome: 'ok', kind: 'call', [column]: 'a' })).toBe(
      `SEARCH journal USING INDEX journal_by_${column} (${column}=?)`,
    );
  }
  expect(read({ kind: 'notice' })).toBe('SEARCH journal USING INDEX journal_by_kind (kind=?)');
  expect(read({ outcome: 'refused' })).toBe('SEARCH journal USING INDEX journal_by_outcome (outcome=?)');
  const rare = { actor: 'a', action: 'b' };
  const led = journalPage(rare, { order: 'newest', after: null, to: null, size: 10 }, 'action');
  expect(plan(led.sql)).toBe('SEARCH journal USING INDEX journal_by_action (action=?)');
  for (const { column, sql } of journalCounts({ ...rare, kind: 'call' })) {
    expect(plan(sql)).toContain(`SEARCH journal USING COVERING INDEX journal_by_${column} (${column}=?)`);
  }
  expect(read({ since: 1, until: 2 })).toMatch(/^SEARCH journal USING INTEGER PRIMARY KEY/);
});

it('lookups and the purge search an index', () => {
  const plan = planner();
  expect(plan(`SELECT ${recordColumns} FROM keys WHERE id = 'a'`)).toBe(
    `SEARCH keys USING INDEX sqlite_autoindex_keys_1 (id=?)${lastUse}`,
  );
  expect(plan('SELECT min(hour) FROM usage_hours WHERE hour > 1')).toBe(
    'SEARCH usage_hours USING PRIMARY KEY (hour>?)',
  );
  expect(plan('DELETE FROM usage_hours WHERE (hour, key) <= (1, 2)')).toBe(
    'SEARCH usage_hours USING PRIMARY KEY ((hour,key)<(?,?))',
  );
  expect(plan("SELECT * FROM keys WHERE digest = 'a'")).toMatch(
    /^SEARCH keys USING INDEX \S+ \(digest=\?\)$/,
  );
  expect(plan("SELECT * FROM journal WHERE once = 'a'")).toMatch(
    /^SEARCH journal USING INDEX journal_by_once/,
  );
  expect(plan('SELECT id FROM keys WHERE purge_at <= 1 ORDER BY purge_at LIMIT 1')).toMatch(
    /^SEARCH keys USING INDEX keys_by_purge_at \(purge_at<\?\)$/,
  );
});

/** The plan of a statement on an empty database. */
function planner(): (sql: string) => string {
  const database = new DatabaseSync(':memory:');
  onTestFinished(() => database.close());
  for (const { statements } of migrations) database.exec(statements);
  database.function('pending_last_use', (_key) => 0);
  return (sql) =>
    database
      .prepare(`EXPLAIN QUERY PLAN ${sql}`)
      .all()
      .map((row) => String(row.detail))
      .join('; ');
}

/** Plans that go to that place by an index, and neither sort nor walk anything else. */
function inOrderFrom(place: RegExp): RegExp {
  return new RegExp(`^(?!.*(?:TEMP B-TREE|SCAN (?!CONSTANT)))SEARCH [^;]*${place.source}`);
}

/** Each way to take one or none of each group, put together. */
function subsets<T extends object>(groups: readonly (readonly Partial<T>[])[]): Partial<T>[] {
  return groups.reduce<Partial<T>[]>(
    (built, group) => built.flatMap((one) => [one, ...group.map((more) => ({ ...one, ...more }))]),
    [{}],
  );
}
