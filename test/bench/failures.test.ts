import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { readOptions } from '../../bench/checks/options.ts';
import type { ScenarioResult } from '../../bench/checks/rounds.ts';
import { type RunResult, runGroup } from '../../bench/checks/run.ts';
import { type Group, memberOf, plainScenario } from '../../bench/checks/scenario.ts';
import type { Run } from '../../bench/checks/turn.ts';
import type { Peer } from '../../bench/peers/peer.ts';
import { type Results, withOthers, writeResults } from '../../bench/report/results.ts';
import { roundOf } from './setting.ts';

/** Of open loads, after which nothing is left to be waited for. */
const scenarios = (['hit', 'revoked', 'malformed'] as const).map((kind) => ({
  ...{ ...plainScenario, kind, perSecond: 1_000, rounds: 1 },
}));
const group: Group = {
  ...{ title: 'Tails', throughEnvoy: false, keys: 1_000, store: 'mongodb', seeding: 'usual' },
  ...{ members: [memberOf('postern')], isPinned: false, scenarios },
};
const peer: Peer = {
  ...{ name: 'postern', port: 1, pid: process.pid, proxyPid: null, protocol: 'check', mention: null },
  presents: (kind) => kind,
  answer: (kind) => (kind === 'hit' ? 200 : 401),
  misses: async () => null,
  settled: async () => {},
  output: () => '{"msg":"the store does not answer"}\n',
  stop: async () => {},
  service: null,
};

/** A run whose phases all answer as they should, but those of a kind. */
function runOf(wrong: string | null, peers: () => Promise<Peer[]> = async () => [peer]): Run {
  let kind = '';
  return {
    options: readOptions([], {}),
    stage: { names: [], absent: [], ghz: null, placing: '', start: peers, stop: async () => {} },
    generator: {
      pid: 0,
      async prepare(setup) {
        kind = setup.kind;
      },
      run: async () => roundOf(kind === wrong ? { unexpected: { 'error 503': 7 } } : {}),
      stop: async () => {},
    },
    say() {},
  };
}

const kindsOf = ({ scenarios }: Pick<RunResult, 'scenarios'>) =>
  scenarios.map(({ scenario: { kind } }) => kind);
const revokedRow = 'revoked, 1000 a second on 4 connections; 1,000 keys, on MongoDB';
const reason = 'postern gave wrong answers: 7 error 503';

it('a row that fails takes no other with it, and is named with its reason', async () => {
  const result = await runGroup(runOf('revoked'), group);
  expect(kindsOf(result)).toEqual(['hit', 'malformed']);
  expect(result.failed).toEqual([{ section: 'Tails', row: revokedRow, reason }]);
});

it('peers that do not start take no other group with them', async () => {
  const run = runOf(null, () => Promise.reject(new Error('MongoDB is not there\nsecond line')));
  expect(await runGroup(run, group)).toEqual({
    ...{ scenarios: [], memory: [] },
    failed: [{ section: 'Tails', row: '1,000 keys, on MongoDB', reason: 'MongoDB is not there' }],
  });
});

it('results name what failed, until it is measured', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-results-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const machine = { processor: 'any', cores: 2, memoryGb: 8, kernel: '6', node: '26', postern: 'a' };
  const results = (part: RunResult): Results => ({
    ...{ day: '1', machine, versions: {}, placing: '', raw: false },
    ...part,
  });
  const save = (part: RunResult) => {
    const all = withOthers(folder, results(part));
    writeResults(folder, all);
    return { all, text: readFileSync(join(folder, 'README.md'), 'utf8') };
  };
  save({ scenarios: [], memory: [], failed: [{ section: 'Storms', row: '5 keys', reason: 'another' }] });
  const failed = save(await runGroup(runOf('revoked'), group));
  expect(failed.text).toContain(`- Tails: ${revokedRow}: ${reason}\n`);
  expect(failed.text).toContain('- Storms: 5 keys: another\n');
  expect(kindsOf(failed.all)).toEqual(['hit', 'malformed']);
  const again = save(await runGroup(runOf(null), { ...group, scenarios: scenarios.slice(1, 2) }));
  expect(again.all.failed.map(({ section }) => section)).toEqual(['Storms']);
  expect(kindsOf(again.all)).toEqual(['hit', 'malformed', 'revoked']);
  const started: ScenarioResult[] = again.all.scenarios.map((row) => ({
    ...row,
    group: { title: 'Storms', throughEnvoy: false, keys: 5, store: 'sqlite' },
  }));
  expect(save({ scenarios: started, memory: [], failed: [] }).text).not.toContain('since it failed');
});
