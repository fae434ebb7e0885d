import { expect, it } from 'vitest';
import { report } from './report.ts';
import { type RunResult, run } from './run.ts';

it('a fleet under load, changes and random faults keeps every promise', { timeout: 600_000 }, async () => {
  const result = await run({
    ...{ seed: 1, revocations: 10_000, msMax: 16_000 },
    ...{ stalenessMaxMs: 2_000, timed: 5, calmMs: 3_000 },
  });
  expect(result.violations.length, report(result)).toBe(0);
  expect(result.revocations).toBeGreaterThan(0);
  expect(result.faults.size).toBeGreaterThan(0);
  expect(takenByRole(result), report(result)).toBeGreaterThan(0);
});

it('two processes that answer Checks on SQLite keep every promise', { timeout: 600_000 }, async () => {
  const result = await run({
    ...{ store: 'sqlite', processes: 2, seed: 2, revocations: 10_000, msMax: 5_000 },
    ...{ stalenessMaxMs: 2_000, timed: 2, calmMs: 1_000 },
  });
  expect(result.violations.length, report(result)).toBe(0);
  expect(result.revocations).toBeGreaterThan(0);
  expect([...result.faults.keys()].join()).toMatch('a process for Checks');
});

/** Of the Checks of keys whose role was narrowed or removed, so many were told so. */
function takenByRole({ records }: RunResult): number {
  return records.filter((record) => record.type === 'check' && record.reason === 'permission_denied').length;
}
