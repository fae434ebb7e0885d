import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { ScenarioResult } from '../../bench/checks/rounds.ts';
import { plainScenario, type Scenario } from '../../bench/checks/scenario.ts';
import { behindGo, behindMarkdown } from '../../bench/report/behind.ts';
import { believable, type Results, withOthers } from '../../bench/report/results.ts';
import { roundOf } from './setting.ts';

const group = { title: 'Checks', throughEnvoy: false, keys: 1_000, store: 'sqlite' } as const;
const turn = (micros: number, p99: number) =>
  roundOf({ untilNextNs: micros * 1_000 * 10_000, latencyMs: { p50: 1, p99, p999: p99 } });
const result = (scenario: Scenario, postern: [number, number], go: [number, number]): ScenarioResult => ({
  ...{ group, scenario },
  peers: [
    { name: 'postern', rounds: [turn(...postern)], misses: 0 },
    { name: 'go', rounds: [turn(...go)], misses: null },
  ],
});
const resultsOf = (postern: string, day: string, scenarios: readonly ScenarioResult[]): Results => ({
  machine: { processor: 'any', cores: 2, memoryGb: 8, kernel: '6.1', node: '26', postern },
  ...{ day, scenarios, versions: {}, placing: '', raw: false, memory: [], failed: [] },
});
const open: Scenario = { ...plainScenario, perSecond: 8_000 };

it('says where Postern takes more processor time than Go, and of a closed load nothing else', () => {
  expect(behindGo([result(plainScenario, [20, 9], [30, 1])])).toEqual([]);
  expect(behindGo([result(plainScenario, [31, 1], [30, 1])])).toEqual([]);
  expect(behindGo([result(plainScenario, [40, 1], [30, 1])])).toMatchObject([
    { figure: 'µs in all', own: 40, go: 30 },
  ]);
});

it('says where the tail of an open load is longer', () => {
  expect(behindGo([result(open, [20, 1], [30, 1])])).toEqual([]);
  expect(behindGo([result(open, [20, 2], [30, 1])]).map(({ figure }) => figure)).toEqual(['p99', 'p99.9']);
});

it('counts no processor time that Postern spends on other work than Checks', () => {
  expect(behindGo([result({ ...open, during: 'an import runs' }, [90, 1], [30, 1])])).toEqual([]);
});

it('writes each with the reason that there is for it', () => {
  const found = behindGo([result(plainScenario, [40, 1], [30, 1])]);
  const [row = ''] = found.map((one) => one.row);
  expect(behindMarkdown(found, new Map([[row, 'It waits for the disk.']]))).toContain(
    `${row}: postern 40.00, Go 30.00 µs of processor. It waits for the disk.`,
  );
  expect(behindMarkdown([], new Map())).toContain('No row');
});

it('leaves out every row in which something else had the machine', () => {
  const quiet = result(plainScenario, [20, 1], [30, 1]);
  const loud = {
    ...quiet,
    scenario: open,
    peers: quiet.peers.map((peer) => ({ ...peer, rounds: [disturbed] })),
  };
  const { results, leftOut } = believable(resultsOf('a', '1', [quiet, loud]));
  expect(results.scenarios).toEqual([quiet]);
  expect(leftOut).toEqual(['hit, 8000 a second on 4 connections; 1,000 keys']);
});

it('keeps a row whose cores the host gave to others where the ratios of its rounds agree', () => {
  const stolen = (micros: number) => ({
    ...turn(micros, 1),
    machine: { busyNs: 1.49e9, stolenNs: 0.3e9 },
  });
  const row = (...postern: number[]): ScenarioResult => ({
    ...{ group, scenario: plainScenario },
    peers: [
      { name: 'postern', rounds: postern.map(stolen), misses: 0 },
      { name: 'go', rounds: postern.map(() => stolen(30)), misses: null },
    ],
  });
  expect(believable(resultsOf('a', '1', [row(20, 24), row(20, 34)])).results.scenarios).toEqual([
    row(20, 24),
  ]);
});

const disturbed = roundOf({ machine: { busyNs: 1.9e9, stolenNs: 0 } });

it('keeps the rows that were measured before, on the same machine, and says of which revision', () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-results-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const of = (postern: string, day: string, ...titles: string[]) =>
    resultsOf(
      postern,
      day,
      titles.map((title) => ({
        ...result(plainScenario, [1, 1], [1, 1]),
        group: { ...group, title, keys: day.length },
      })),
    );
  const rows = ({ scenarios }: Results) => scenarios.map(({ group: { title, keys } }) => [title, keys]);
  expect(rows(withOthers(folder, of('a', '1', 'Storms')))).toEqual([['Storms', 1]]);
  writeFileSync(join(folder, 'results.json'), JSON.stringify(of('a', '1', 'Checks', 'Tails')));
  const again = withOthers(folder, of('a', '1', 'Storms', 'Tails'));
  expect(rows(again)).toEqual([
    ...[
      ['Checks', 1],
      ['Tails', 1],
      ['Storms', 1],
    ],
  ]);
  expect(rows(withOthers(folder, of('a', '22', 'Tails')))).toEqual([
    ...[
      ['Checks', 1],
      ['Tails', 1],
      ['Tails', 2],
    ],
  ]);
  const revisions = ({ scenarios }: Results) =>
    scenarios.map(({ group: { title }, revision }) => [title, revision]);
  const later = withOthers(folder, of('b', '1', 'Storms'));
  expect(revisions(later)).toEqual([
    ...[
      ['Checks', 'a'],
      ['Tails', 'a'],
      ['Storms', undefined],
    ],
  ]);
  writeFileSync(join(folder, 'results.json'), JSON.stringify(later));
  expect(revisions(withOthers(folder, of('a', '1', 'Tails')))).toEqual([
    ...[
      ['Checks', undefined],
      ['Tails', undefined],
      ['Storms', 'b'],
    ],
  ]);
  const saved = JSON.stringify(of('a', '1', 'Storms')).replaceAll('"isFromStart":false,', '');
  expect(saved).not.toContain('isFromStart');
  writeFileSync(join(folder, 'results.json'), saved);
  expect(rows(withOthers(folder, of('b', '1', 'Storms')))).toEqual([['Storms', 1]]);
  const here = of('a', '1', 'Storms');
  const elsewhere = { ...here, machine: { ...here.machine, cores: 64 } };
  expect(rows(withOthers(folder, elsewhere))).toEqual([['Storms', 1]]);
});
