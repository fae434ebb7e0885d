import { parseArgs } from 'node:util';
import { creationsOf } from './checks/checker.ts';
import type { HistoryRecord } from './checks/history.ts';
import { surveyLimits } from './checks/limit-checker.ts';
import type { RunResult } from './run.ts';

const shown = 10;

/** The figures of a run, as text. */
export function report({ records, violations, revocations, faults, propagation, ms }: RunResult): string {
  const limits = surveyLimits(records, creationsOf(records));
  const checks = records.filter((record) => record.type === 'check');
  const changes = records.filter((record) => record.type === 'change');
  const done = changes.filter(({ effectiveAt, operation }) => operation === 'revoke' && effectiveAt);
  const waiting = done.filter(({ unconfirmed }) => unconfirmed?.length);
  return [
    `took ${(ms / 1_000).toFixed(0)} s`,
    `checks ${checks.length}: ${tally(checks.map(({ verdict, reason }) => (verdict === 'denied' ? reason : verdict)))}`,
    `changes ${changes.length}: ${tally(changes.map(({ operation, outcome }) => `${operation} ${outcome}`))}`,
    `keys revoked ${revocations}, named a replica ${waiting.length}`,
    `states read back ${count(records, 'state')}`,
    `faults ${[...faults.values()].reduce((sum, times) => sum + times, 0)}: ${list(faults)}`,
    `windows of the limited key ${limits.windows}, of which ${limits.wanted} had to give out 95 %`,
    'in the healthy fleet, ms at p50 p90 p99 max:',
    `  from the request to revoke to its answer       ${percentiles(propagation.answered)}`,
    `  to the last replica's first denial             ${percentiles(propagation.everywhere)}`,
    `  from the first denial anywhere to the last one ${percentiles(propagation.spread)}`,
    `violations ${violations.length}: ${tally(violations.map(({ rule }) => rule))}`,
    ...violations.slice(0, shown).map(({ rule, what, records: of }) => `  ${rule}: ${what}\n${lines(of)}`),
  ].join('\n');
}

/** `--seed 1 --revocations 10000`: each a whole number, with these defaults. */
export function readNumbers<Name extends string>(
  args: readonly string[],
  defaults: Readonly<Record<Name, number>>,
): Record<Name, number> & { readonly history: string | undefined } {
  const names = Object.keys(defaults) as Name[];
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' as const }]));
  const { values } = parseArgs({
    args: [...args],
    options: { ...options, history: { type: 'string' } },
  }) as { values: Record<string, string | undefined> };
  const numbers = names.map((name) => {
    const value = Number(values[name] ?? defaults[name]);
    if (!Number.isFinite(value) || value < 0) throw new Error(`--${name} takes a number of 0 or more`);
    return [name, value];
  });
  return { ...Object.fromEntries(numbers), history: values.history };
}

function count(records: readonly HistoryRecord[], type: HistoryRecord['type']): number {
  return records.filter((record) => record.type === type).length;
}

function tally(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return list(counts);
}

function list(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .toSorted(([, one], [, other]) => other - one)
    .map(([name, times]) => `${name} ${times}`)
    .join(', ');
}

function percentiles(inOrder: readonly number[]): string {
  return [0.5, 0.9, 0.99, 1]
    .map((part) => (inOrder[Math.ceil(inOrder.length * part) - 1] ?? Number.NaN).toFixed(1).padStart(7))
    .join(' ');
}

function lines(records: readonly HistoryRecord[]): string {
  return records.map((record) => `    ${JSON.stringify(record)}`).join('\n');
}
