import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { openDatabase } from '../../src/sqlite/database.ts';
import { migrations } from '../../src/sqlite/migrations.ts';
import { createSqliteStore } from '../../src/sqlite/store.ts';
import { usageSumsStep } from '../../src/sqlite/usage/sum-migration.ts';

const hourMs = 3_600_000;
const now = Date.UTC(2040, 1, 2, 12);

it('adds up the use of before there were sums, as that of what its keys are now', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-sums-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'postern.db');
  const before = openDatabase(path, migrations.slice(0, migrations.indexOf(usageSumsStep)));
  before.exec(`
    INSERT INTO owners (id, plan, suspended, created_at, updated_at, version) VALUES ('acme', 'gold', 0, 0, 0, 1);
    INSERT INTO keys (id, digest, version, scheme, environment, owner, name_folded, record)
      VALUES ('key_a', 'a', 1, 'postern', 'live', 'acme', 'a', '{}'),
        ('key_b', 'b', 1, 'mavera', 'test', 'acme', 'b', '{"plan":"free"}');
    INSERT INTO usage_hours (hour, key, allowed, denied, addresses, observed) VALUES
      (${now}, 'key_a', 5, '{"expired":2,"revoked":1}', '[]', '{}'),
      (${now - hourMs}, 'key_a', 1, '{"expired":4}', '[]', '{"missing":3}'),
      (${now - 72 * hourMs}, 'key_b', 7, '{}', '[]', '{}'),
      (${now}, 'key_gone', 2, '{}', '[]', '{}');
    INSERT INTO usage (key, hour, tally) VALUES
      ('key_b', ${now - hourMs}, '{"allowed":10,"denied":{"expired":1},"addresses":[]}')`);
  before.close();
  const store = createSqliteStore({ path, now: () => now });
  await store.open();
  onTestFinished(() => store.close());
  const sums = async (group: 'plan' | 'owner' | 'key', owner: string | null = null) =>
    (
      await store.sumUsage({
        ...{ group, interval: 'month', since: 0, until: now + hourMs, owner },
        ...{ order: 'allowed', size: 10, after: null },
      })
    ).map(({ group, start, allowed, denied, observed }) => [
      ...[group, new Date(start ?? 0).getUTCMonth(), allowed, denied, observed],
    ]);
  expect(await sums('plan')).toEqual([
    ['free', 1, 10, { expired: 1 }, {}],
    ['free', 0, 7, {}, {}],
    ['gold', 1, 6, { expired: 6, revoked: 1 }, { missing: 3 }],
    [null, 1, 2, {}, {}],
  ]);
  expect(await sums('owner')).toEqual([
    ['acme', 1, 16, { expired: 7, revoked: 1 }, { missing: 3 }],
    ['acme', 0, 7, {}, {}],
    [null, 1, 2, {}, {}],
  ]);
  expect(await sums('key', 'acme')).toEqual([
    ['key_b', 1, 10, { expired: 1 }, {}],
    ['key_b', 0, 7, {}, {}],
    ['key_a', 1, 6, { expired: 6, revoked: 1 }, { missing: 3 }],
  ]);
});
