import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import type { KeyId } from '../../src/keys/key.ts';
import type { Reason } from '../../src/schemes/answer.ts';
import type { Store } from '../../src/store/store.ts';
import {
  defaultRequestRetentionMs,
  minuteMs,
  type RequestFilter,
  type StoredRequest,
} from '../../src/store/usage/request-log.ts';
import { nextId, testNow } from '../store-contract/setting.ts';
import { request } from '../store-contract/use/request-log.ts';
import { createStoreFile } from './setting.ts';

const minute = testNow - (testNow % minuteMs);
const [acme, zeta] = [nextId(), nextId()];

it('rows that an older version wrote are listed with those that are written now, counted on, and removed in time', async () => {
  const file = createStoreFile();
  await file.open();
  const old = [
    request({ id: 'a', at: minute - minuteMs, key: acme, owner: 'acme' }),
    request({ id: 'b', at: minute - minuteMs + 5, key: zeta, owner: 'zeta', ...denied('expired') }),
    request({ id: 'c', at: minute + 5, key: acme, owner: 'acme', ...denied('expired') }),
  ];
  await file.tamper(old.map(formerInsert).join(';'));
  const store = await file.open();
  expect(await listed(store, {})).toEqual(old.toReversed());

  const more = request({ id: 'd', at: minute + 6, key: acme, owner: 'acme', ...denied('revoked') });
  await store.recordRequests([{ ...(old[2] as StoredRequest), at: minute + 7, count: 2 }, more]);
  const ids = async (filter: RequestFilter) =>
    (await listed(store, filter)).map(({ id, count }) => `${id}${count}`).join(' ');
  expect(await ids({})).toBe('d1 c3 b1 a1');
  expect(await ids({ key: acme })).toBe('d1 c3 a1');
  expect(await ids({ owner: 'zeta' })).toBe('b1');
  expect(await ids({ reason: 'expired' })).toBe('c3 b1');
  expect(await ids({ decision: 'allow' })).toBe('a1');
  expect(await ids({ since: minute - minuteMs + 1, until: minute + 6 })).toBe('c3 b1');
  const pages: string[] = [];
  for (let after: StoredRequest | null = null; ; ) {
    const [row] = await store.listRequests({}, { after, size: 1 });
    if (row === undefined) break;
    pages.push(row.id);
    after = row;
  }
  expect(pages).toEqual(['d', 'c', 'b', 'a']);

  const later = await file.open({ now: () => minute + defaultRequestRetentionMs });
  expect((await listed(later, {})).map(({ id }) => id)).toEqual(['d', 'c']);
});

it('past the bound of the log, rows that an older version wrote go first', async () => {
  const file = createStoreFile();
  await file.open();
  const old = Array.from({ length: 70 }, (_, at) =>
    request({ id: `old${String(at).padStart(2, '0')}`, at: minute - minuteMs + at }),
  );
  await file.tamper(old.map(formerInsert).join(';'));
  const removed: number[] = [];
  const store = await file.open({ requestRowsMax: 100, onRequestsRemoved: (rows) => removed.push(rows) });
  await store.recordRequests(
    Array.from({ length: 60 }, (_, at) => request({ id: `new${at}`, at: minute + at })),
  );
  const left = await listed(store, {});
  expect([left.length, left.filter(({ id }) => id.startsWith('new')).length]).toEqual([100, 60]);
  expect(left.at(-1)?.id).toBe('old30');
  expect(removed).toEqual([30]);
});

it('nothing of a batch that cannot be written is kept, and it is counted once when it is written again', async () => {
  const file = createStoreFile();
  await file.open();
  await file.tamper(
    `CREATE TRIGGER full BEFORE INSERT ON request_subjects WHEN new.subject = 'owner full'
     BEGIN SELECT RAISE(ABORT, 'full'); END`,
  );
  const store = await file.open();
  const many = Array.from({ length: 1_500 }, (_, at) => request({ id: `many${at}`, at: minute, key: acme }));
  await store.recordRequests(many);
  const row = request({ id: 'a', at: minute + 1, key: zeta });
  const broken = request({ id: 'b', at: minute + 1, owner: 'full' });
  await expect(store.recordRequests([row, broken])).rejects.toThrow();
  await store.recordRequests([{ ...row, at: minute + 2 }]);
  expect(await listed(store, { key: zeta })).toEqual([{ ...row, at: minute + 2 }]);
});

it('finds what was written in any order of time, by every filter, in pages of any size, when it is opened again too', async () => {
  const file = createStoreFile();
  let store = await file.open();
  const rows = manyRows();
  for (let start = 0; start < rows.length; start += 1_000) {
    await store.recordRequests(rows.slice(start, start + 1_000));
  }
  const sorted = rows.toSorted((one, other) => other.at - one.at || (one.id < other.id ? 1 : -1));
  const filters: RequestFilter[] = [
    {},
    ...[{ key: acme }, { owner: 'zeta' }, { owner: 'nobody' }, { key: acme, owner: 'zeta' }],
    ...([{ decision: 'deny' }, { decision: 'allow' }, { decision: 'observed' }] as const),
    ...([{ reason: 'expired' }, { reason: 'expired', key: acme }, { reason: 'revoked' }] as const),
    { since: minute + 5_000, until: minute + 9_000 },
    { key: acme, since: minute + 2_500, until: minute + hourMs },
    // Each of one row.
    ...[4, 2_500, 5_500, 7_000, 9_000, 11_000, 14_000].map((at) => ({ key: keyAfter(rows, at) })),
  ];
  for (const turn of ['written', 'opened again']) {
    for (const filter of filters) {
      const expected = sorted.filter((row) => isAskedFor(row, filter)).slice(0, 5_000);
      for (const size of [7, 5_000]) {
        const found: StoredRequest[] = [];
        while (found.length < Math.min(expected.length, 4 * size)) {
          const page = await store.listRequests(filter, { after: found.at(-1) ?? null, size });
          found.push(...page);
          if (page.length < size) break;
        }
        const ids = (some: readonly StoredRequest[]) => some.map(({ id }) => id);
        expect([turn, filter, ids(found)]).toEqual([turn, filter, ids(expected.slice(0, found.length))]);
        if (found.length < 4 * size) expect(found).toHaveLength(expected.length);
      }
    }
    store = await file.open();
  }
  await file.tamper('');
  const database = new DatabaseSync(file.path);
  const block = database.prepare('SELECT max(rows) AS rows, sum(rows) AS sum FROM request_blocks').get();
  database.close();
  // However the times came: what is looked through at once stays bounded, and what is counted is there.
  expect(Number(block?.rows)).toBeLessThan(9_000);
  expect(block?.sum).toBe(rows.length);
  // All of them go with their retention, whatever they were written among.
  const late = await file.open({ now: () => minute + 3 * hourMs + defaultRequestRetentionMs });
  expect(await listed(late, {})).toEqual([]);
  await late.recordRequests([request({ id: 'new', at: minute + 3 * hourMs })]);
  expect(await listed(late, { decision: 'allow' })).toHaveLength(1);
});

function keyAfter(rows: readonly StoredRequest[], place: number): KeyId {
  return rows.slice(place).find(({ key }) => key !== null && key !== acme)?.key as KeyId;
}

const hourMs = 60 * minuteMs;

/** A flood, then what a clock that was ahead for a while has written, late rows, and many of one millisecond. */
function manyRows(): StoredRequest[] {
  let made = 0;
  const row = (at: number) => {
    const place = made++;
    const about = [
      { key: acme, owner: 'acme' },
      { key: place % 2 === 0 ? nextId() : null, owner: place % 2 === 0 ? 'zeta' : null },
    ][place % 3 === 0 ? 0 : 1] as Pick<StoredRequest, 'key' | 'owner'>;
    const rare = place % 1_700 === 0 ? denied('expired') : place % 2_300 === 0 ? observed : {};
    return request({ id: `row${String(place).padStart(6, '0')}`, at, ...about, ...rare });
  };
  const times = (length: number, time: (at: number) => number) =>
    Array.from({ length }, (_, at) => row(time(at)));
  return [
    ...times(3_500, (at) => minute + at * 3),
    ...times(2, () => minute + 2 * hourMs),
    ...times(9_500, (at) => minute + 11_000 + at * 3),
    ...times(700, (at) => minute + 10_000 - at * 7),
    ...times(1_500, () => minute + 40_000),
    ...times(50, (at) => minute - hourMs + at),
  ];
}

function isAskedFor(row: StoredRequest, filter: RequestFilter): boolean {
  const { since = 0, until = Number.POSITIVE_INFINITY, ...same } = filter;
  if (row.at < since || row.at >= until) return false;
  return Object.entries(same).every(([name, value]) => row[name as keyof StoredRequest] === value);
}

const observed = { decision: 'observed', reason: 'expired', status: 401 } as const;

function denied(reason: Reason) {
  return { decision: 'deny', reason, status: 401 } as const;
}

function listed(store: Store, filter: RequestFilter): Promise<StoredRequest[]> {
  return store.listRequests(filter, { after: null, size: 1_000 });
}

/** As versions before this one did. */
function formerInsert(row: StoredRequest): string {
  const { id, at, count, key, owner, decision, reason, ...rest } = row;
  const text = (value: string | null) => (value === null ? 'NULL' : `'${value}'`);
  const values = [at - (at % minuteMs), text(id), at, count, text(key as KeyId | null), text(owner)];
  return `INSERT INTO requests (minute, id, at, count, key, owner, decision, reason, body)
    VALUES (${[...values, text(decision), text(reason), text(JSON.stringify(rest))].join(', ')})`;
}
