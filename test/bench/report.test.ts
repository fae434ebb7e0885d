import { expect, it } from 'vitest';
import type { ScenarioResult } from '../../bench/checks/rounds.ts';
import { plainScenario, type Scenario } from '../../bench/checks/scenario.ts';
import { memoryTable, scenarioTable, table } from '../../bench/report/markdown.ts';
import { linesOf, memoryLine } from '../../bench/report/report.ts';
import { roundOf } from './setting.ts';

const scenario: Scenario = { ...plainScenario, rounds: 2, seconds: 1 };
const group = { title: 'Checks', throughEnvoy: false, keys: 100_000, store: 'sqlite' } as const;
/** A turn that took so much for a Check, and left work for later. */
const cost = (micros: number, later = 0) => {
  const ranNs = micros * 1_000 * 10_000;
  return roundOf({ server: { ranNs, waitedNs: 0 }, untilNextNs: ranNs + later * 1_000 * 10_000 });
};
const result: ScenarioResult = {
  ...{ group, scenario },
  peers: [
    { name: 'postern', rounds: [cost(20, 4), cost(30, 10)], misses: 0 },
    { name: 'go', rounds: [cost(40), cost(50)], misses: null },
  ],
};

it('compares turns of the same number with each other, what they left to be done later included', () => {
  const [postern, go] = linesOf(result);
  expect(postern?.micros).toEqual({ median: 25, low: 20, high: 30 });
  expect(postern?.allMicros).toEqual({ median: 32, low: 24, high: 40 });
  expect(postern?.toGo).toEqual({ median: 0.7, low: 0.6, high: 0.8 });
  expect(go?.toGo).toBeNull();
});

it('gives no ratio where there was no Go', () => {
  expect(linesOf({ ...result, peers: result.peers.slice(0, 1) })[0]?.toGo).toBeNull();
});

it('compares the tails of an open load, turn by turn, and of no other', () => {
  const tail = (p99: number) => roundOf({ latencyMs: { p50: 1, p99, p999: 2 * p99 } });
  const open: ScenarioResult = {
    ...{ group, scenario: { ...scenario, perSecond: 8_000 } },
    peers: [
      { name: 'postern', rounds: [tail(2), tail(9)], misses: 0 },
      { name: 'go', rounds: [tail(4), tail(6)], misses: null },
    ],
  };
  const [postern, go] = linesOf(open);
  expect(postern?.tailsToGo?.p99).toEqual({ median: 1, low: 0.5, high: 1.5 });
  expect(go?.tailsToGo).toBeNull();
  expect(scenarioTable(open)).toContain('p99 to Go');
  expect(linesOf(result)[0]?.tailsToGo).toBeNull();
  expect(scenarioTable(result)).not.toContain('p99 to Go');
});

it('writes a row for each peer, with the spread of its rounds', () => {
  const lines = scenarioTable(result).split('\n');
  expect(lines[0]).toBe('**hit, 64 streams on 4 connections; 100,000 keys** (2 rounds of 1 s)');
  expect(
    lines
      .slice(4)[0]
      ?.split('|')
      .map((cell) => cell.trim())
      .slice(1, 6),
  ).toEqual([...['postern', '10000', '25.0 (20.0–30.0)', '32.0 (24.0–40.0)', '0.70 (0.60–0.80)']]);
});

it('tells the time of an Envoy and of the service behind it apart', () => {
  const proxied = roundOf({ proxy: { ranNs: 1e9, waitedNs: 0 }, server: { ranNs: 0.2e9, waitedNs: 0 } });
  const [, , , , postern, nobody] = scenarioTable({
    ...{ group: { ...group, throughEnvoy: true }, scenario },
    peers: [
      { name: 'postern', rounds: [proxied], misses: 0 },
      { name: 'nobody', rounds: [cost(15)], misses: null },
    ],
  }).split('\n');
  const cells = (row: string | undefined) =>
    row
      ?.split('|')
      .map((cell) => cell.trim())
      .slice(1, 5);
  expect(cells(postern)).toEqual(['postern', '10000', '100.0', '20.0']);
  expect(cells(nobody)).toEqual(['nobody', '10000', '15.0', '']);
});

it('divides what the keys added to memory by their number', () => {
  const weighed = { name: 'go', keys: 1_000, started: 9e6, empty: [10e6, 11e6], filled: [12e6, 13e6] };
  expect(memoryLine(weighed).bytesPerKey).toEqual({ median: 2_000, low: 1_000, high: 3_000 });
  expect(memoryTable([weighed])).toContain('2000 (1000–3000)');
});

it('writes a table that is one, whatever the widths', () => {
  expect(table(['', 'b'], [['long name', '1']])).toBe(
    ['|           |   b |', '| --------- | --: |', '| long name |   1 |'].join('\n'),
  );
});
