import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import { createRandom } from '../../bench/common/random.ts';
import type { KeyId } from '../../src/keys/key.ts';
import { openDatabase } from '../../src/sqlite/database.ts';
import { createDisk } from '../../src/sqlite/disk.ts';
import { createTables, type Tables } from '../../src/sqlite/tables.ts';
import { hourMs, type UsageSum } from '../../src/store/usage/usage-sums.ts';
import type { UsageAbout, UsageTally } from '../../src/store/usage/usage-tally.ts';
import { nextId, testNow } from '../store-contract/setting.ts';
import { tally } from '../store-contract/use/usage.ts';

const about: UsageAbout = { owner: 'acme', plan: null, scheme: 'postern', environment: 'live' };

it('writes one entry for a flush of many keys, and their rows once, when the hour is over', async () => {
  const file = createFile();
  const keys = Array.from({ length: 300 }, () => nextId());
  const tables = await file.open();
  for (const at of [1, 2, 3])
    await tables.usage.record(
      keys.map((id) => tally({ id }, { allowed: 2, lastUsedAt: testNow + at, about })),
    );
  expect([file.count('usage_log'), file.count('usage_hours')]).toEqual([6, 0]);
  await tables.usage.fold(() => false);
  expect(file.count('usage_hours')).toBe(0);
  // What came at the end of the hour is written some seconds after it.
  file.now = testNow + hourMs + 5_000;
  await tables.usage.record(keys.map((id) => tally({ id }, { allowed: 1, lastUsedAt: testNow + 9, about })));
  await tables.usage.fold(() => false);
  expect(file.count('usage_hours')).toBe(0);
  file.now = testNow + hourMs + 20_000;
  await tables.usage.fold(() => false);
  expect([file.count('usage_log'), file.count('usage_folded'), file.count('usage_hours')]).toEqual([
    0, 0, 300,
  ]);
  expect(await tables.usage.get(keys[7] as KeyId, 0)).toEqual([
    tally({ id: keys[7] as KeyId }, { allowed: 7, lastUsedAt: testNow + 9 }),
  ]);
});

it('writes rows within the hour where the log is long for its keys', async () => {
  const file = createFile();
  const keys = Array.from({ length: 2_500 }, () => nextId());
  const tables = await file.open();
  const record = () =>
    tables.usage.record(keys.map((id) => tally({ id }, { allowed: 1, lastUsedAt: testNow, about })));
  for (let times = 0; times < 8; times++) await record();
  await tables.usage.fold(() => false);
  expect(file.count('usage_hours')).toBe(0);
  await record();
  await tables.usage.fold(() => false);
  expect([file.count('usage_log'), file.count('usage_hours')]).toEqual([0, 2_500]);
  await record();
  expect((await tables.usage.get(keys[0] as KeyId, 0))[0]?.allowed).toBe(10);
});

it('counts each use once, whatever came when rows were written, and wherever a process ended', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (steps) => {
      const file = createFile();
      const keys = Array.from({ length: 600 }, () => nextId());
      const model = createModel();
      let tables = await file.open();
      for (const each of steps) {
        if (each.kind === 'record') {
          const hour = file.now - (file.now % hourMs) - each.late * hourMs;
          const tallies = madeUp(each.seed, keys, hour).slice(0, each.count);
          await tables.usage.record(tallies);
          model.record(tallies);
          continue;
        }
        file.now += each.hours * hourMs + each.seconds * 1_000;
        // A process that ends in the midst of it goes on with it when it starts again.
        let left = each.slices;
        await tables.usage.fold(() => left-- <= 0);
        if (each.isLooked) await expectModel(tables, model, file.now);
        if (each.isEnded) tables = await file.open();
      }
      await expectModel(tables, model, file.now);
      await expectModel(await file.open(), model, file.now);
      await file.end();
    }),
    { numRuns: 20 },
  );
});

it('adds nothing of a flush that the disk refused, and all of it when it is tried again', async () => {
  const file = createFile();
  const tables = await file.open();
  const key = { id: nextId() };
  const [first, second] = [1, 2].map((at) => tally(key, { allowed: at, lastUsedAt: testNow + at, about }));
  await tables.usage.record([first as UsageTally]);
  tables.database.exec(
    "CREATE TEMP TRIGGER full BEFORE INSERT ON usage_log BEGIN SELECT RAISE(ABORT, 'disk full'); END",
  );
  await expect(tables.usage.record([second as UsageTally])).rejects.toThrow('disk full');
  expect(await tables.usage.get(key.id, 0)).toEqual([tally(key, { allowed: 1, lastUsedAt: testNow + 1 })]);
  tables.database.exec('DROP TRIGGER full');
  await tables.usage.record([second as UsageTally]);
  expect(await tables.usage.get(key.id, 0)).toEqual([tally(key, { allowed: 3, lastUsedAt: testNow + 2 })]);
});

it('writes no rows while somebody adds them up', async () => {
  const file = createFile();
  const tables = await file.open();
  await tables.usage.record([tally({ id: nextId() }, { allowed: 1, lastUsedAt: testNow, about })]);
  file.now += hourMs + 20_000;
  let folding: Promise<void> | null = null;
  let looks = 0;
  await tables.usageSums.reading(async () => {
    const looked = new Promise<void>((resolve) => {
      folding = tables.usage.fold(() => {
        if (++looks === 20) resolve();
        return false;
      });
    });
    await looked;
    expect(file.count('usage_hours')).toBe(0);
  });
  await folding;
  expect(file.count('usage_hours')).toBe(1);
});

/** What a flush may bring of keys: mostly what is plain. */
function madeUp(seed: number, keys: readonly KeyId[], hour: number): UsageTally[] {
  const random = createRandom(seed);
  const one = <T>(...of: readonly T[]): T => of[random.below(of.length)] as T;
  return keys.map(() => {
    const allowed = one(0, 1, 1, 3);
    const denied: UsageTally['denied'] = one(
      {},
      {},
      { expired: 1 },
      { rate_limited: 2 },
      { expired: 1, revoked: 1 },
    );
    return tally(
      { id: one(...keys) },
      {
        ...{ hour, allowed, denied, lastUsedAt: allowed > 0 ? hour + random.below(hourMs) : null },
        observed: one({}, {}, {}, { expired: 1 }),
        addresses: one([], ['192.0.2.1'], ['192.0.2.1'], ['192.0.2.2'], ['192.0.2.1', '192.0.2.3']),
        about: one(about, about, { ...about, owner: 'other' }, { ...about, plan: 'gold' }),
      },
    );
  });
}

const record = fc.record({
  ...{ kind: fc.constant('record' as const), seed: fc.nat(), late: fc.constantFrom(0, 0, 0, 1) },
  count: fc.constantFrom(1, 40, 600),
});
const fold = fc.record({
  ...{
    kind: fc.constant('fold' as const),
    hours: fc.constantFrom(0, 1, 1, 2),
    seconds: fc.constantFrom(0, 20),
    slices: fc.nat({ max: 5 }),
  },
  ...{ isLooked: fc.boolean(), isEnded: fc.boolean() },
});
const steps = fc.array(fc.oneof(record, fold), { minLength: 4, maxLength: 12, size: 'max' });

/** Plain sums of all that was recorded. */
function createModel() {
  const counts = new Map<string, number>();
  const add = (name: string, count: number) => counts.set(name, (counts.get(name) ?? 0) + count);
  return {
    counts,
    record(tallies: readonly UsageTally[]) {
      for (const { key, hour, allowed, denied, observed, about: told } of tallies) {
        const denials = Object.entries({ ...denied }).reduce((sum, [, count]) => sum + count, 0);
        const seen = Object.values(observed).reduce((sum, count) => sum + count, 0);
        for (const [name, count] of [
          ['allowed', allowed],
          ['denied', denials],
          ['observed', seen],
        ] as const) {
          if (count === 0) continue;
          for (const group of [`key ${key}`, `owner ${told?.owner}`, `plan ${told?.plan}`]) {
            add(`${group} ${hour} ${name}`, count);
            add(`${group} all ${name}`, count);
          }
        }
      }
    },
  };
}

async function expectModel(
  tables: Tables,
  model: ReturnType<typeof createModel>,
  now: number,
): Promise<void> {
  const found = new Map<string, number>();
  for (const group of ['key', 'owner', 'plan'] as const) {
    for (const interval of ['hour', 'all'] as const) {
      const query = {
        ...{ group, interval, since: testNow - 30 * hourMs, until: now + hourMs },
        owner: null,
      };
      const sums: UsageSum[] = await tables.sumUsage(
        { ...query, order: 'start', size: 100_000, after: null },
        now,
      );
      for (const { group: of, start, allowed, denied, observed } of sums) {
        const total = (counts: UsageSum['denied']) =>
          Object.values(counts).reduce((sum, count) => sum + count, 0);
        const named = { allowed, denied: total(denied), observed: total(observed) };
        for (const [name, count] of Object.entries(named)) {
          if (count > 0) found.set(`${group} ${of} ${start ?? 'all'} ${name}`, count);
        }
      }
    }
  }
  expect(new Map([...found].sort())).toEqual(new Map([...model.counts].sort()));
}

function createFile() {
  const folder = mkdtempSync(join(tmpdir(), 'postern-pending-'));
  const path = join(folder, 'postern.db');
  let database: DatabaseSync | null = null;
  const close = () => {
    if (database?.isOpen) database.close();
  };
  const end = () => {
    close();
    rmSync(folder, { recursive: true, force: true });
  };
  onTestFinished(end);
  return {
    now: testNow,
    end: async () => end(),
    /** Ends the process that had it open, with whatever it was at. */
    async open(): Promise<Tables> {
      close();
      database = openDatabase(path);
      return createTables(database, await createDisk(database, ':memory:'), {
        now: () => this.now,
        onBadRecord() {},
      });
    },
    count: (table: string) => Number(database?.prepare(`SELECT count(*) AS rows FROM ${table}`).get()?.rows),
  };
}
