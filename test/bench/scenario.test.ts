import { expect, it } from 'vitest';
import { posternWorks } from '../../bench/checks/alongside.ts';
import { estimateMinutesLeast, matrix, sections } from '../../bench/checks/matrix.ts';
import { groupsOf, readOptions, WrongOption } from '../../bench/checks/options.ts';
import { estimateSeconds } from '../../bench/checks/scenario.ts';
import { orders } from '../../bench/client/order.ts';
import { kinds } from '../../bench/common/kinds.ts';
import { peerNames } from '../../bench/peers/peer.ts';

const all = { envoy: true, ghz: true, mongo: true };
const none = { envoy: false, ghz: false, mongo: false };
const usual = { peers: peerNames, has: all, isQuick: false };
const least = estimateMinutesLeast(peerNames);

it.each([least, least + 5, least + 15])('selects what %i minutes have room for', (minutes) => {
  expect(estimateSeconds(matrix({ ...usual, minutes }))).toBeLessThanOrEqual(minutes * 60);
  expect(estimateSeconds(matrix({ ...usual, minutes, has: none }))).toBeLessThanOrEqual(minutes * 60);
});

it('asks every kind, in every order, one stream and many, few keys and a million', () => {
  const groups = matrix({ ...usual, minutes: least });
  const scenarios = groups.flatMap((group) => group.scenarios);
  expect(new Set(scenarios.map(({ kind }) => kind))).toEqual(new Set(kinds));
  expect(new Set(scenarios.map(({ order }) => order))).toEqual(new Set(orders));
  expect(new Set(scenarios.map(({ streams }) => streams))).toEqual(new Set([1, 64, 512]));
  expect(new Set(scenarios.map(({ connections }) => connections))).toEqual(new Set([1, 4, 32]));
  expect(new Set(groups.map(({ keys }) => keys))).toEqual(new Set([1_000, 100_000, 1_000_000]));
  expect([...new Set(groups.map(({ title }) => title))]).toEqual([...sections]);
});

it('measures the tail of an open load at each number of keys, and whatever else Postern does', () => {
  const groups = matrix({ ...usual, minutes: least });
  const open = groups.flatMap((group) =>
    group.scenarios
      .filter(({ perSecond }) => perSecond === 8_000)
      .map((scenario) => ({ ...scenario, ...group })),
  );
  expect(new Set(open.map(({ keys }) => keys))).toEqual(new Set([1_000, 100_000, 1_000_000]));
  expect(open.map(({ during }) => during).filter((during) => during !== null)).toEqual([...posternWorks]);
});

it('measures plans on both stores, and leaves out what is not there', () => {
  const planned = (has: typeof all) =>
    matrix({ ...usual, has, minutes: least }).filter(({ title }) => title === 'A plan on each key');
  expect(planned(all).map(({ store }) => store)).toEqual(['sqlite', 'mongodb']);
  expect(planned(none).map(({ store }) => store)).toEqual(['sqlite']);
  const titles = matrix({ ...usual, has: none, minutes: least }).map(({ title }) => title);
  expect(titles).not.toContain('Through Envoy');
});

it('makes turns longer where there is time, and never shorter than a second', () => {
  const turn = (minutes: number) => matrix({ ...usual, minutes })[0]?.scenarios[0]?.seconds ?? 0;
  expect(turn(1)).toBe(1);
  expect(turn(least + 20)).toBeGreaterThan(turn(least));
});

it('takes as long as it has to where no minutes are named', () => {
  expect(readOptions(['--matrix'], {}).matrix?.minutes).toBe(least);
});

it('runs each row once where it is to be quick', () => {
  const quick = matrix({ ...usual, minutes: 1, isQuick: true });
  expect(quick.flatMap((group) => group.scenarios).every(({ rounds }) => rounds === 1)).toBe(true);
  expect(estimateSeconds(quick)).toBeLessThan(estimateSeconds(matrix({ ...usual, minutes: least })));
});

it.each([
  ['--streams', '0'],
  ['--rate', '1.5'],
  ['--kind', 'x'],
  ['--order', 'x'],
  ['--store', 'x'],
  ['--during', 'x'],
  ['--peers', 'go,x'],
  ['--nonsense'],
  ['--matrix', '--minutes', '2'],
  ['--matrix', '--section', 'x'],
])('refuses %s %s %s', (...argv) => {
  expect(() => readOptions(argv, {})).toThrow(WrongOption);
});

it('measures one scenario by itself, with what the service needs for it', () => {
  const groups = (...argv: string[]) => groupsOf(readOptions(argv, {}), all);
  expect(groups('--kind', 'expired', '--order', 'once')).toMatchObject([
    { seeding: 'storm', scenarios: [{ kind: 'expired', order: 'once' }] },
  ]);
  const [planned] = groups('--plans', '--peers', 'postern,go', '--store', 'mongodb');
  expect(planned?.members.map(({ name, hasPlan }) => [name, hasPlan])).toEqual([
    ...[
      ['postern', false],
      ['postern, plans', true],
      ['go', false],
    ],
  ]);
  expect(groups('--during', 'revoke-many', '--rate', '1000')).toMatchObject([
    { seeding: 'leaving', scenarios: [{ during: '10,000 keys are revoked at once', perSecond: 1_000 }] },
  ]);
  expect(groups('--processes', '2')).toMatchObject([{ isPinned: false, store: 'sqlite' }]);
  expect(groups('--matrix', '--section', 'Storms').map(({ title }) => title)).toEqual(['Storms', 'Storms']);
});

it('takes OPA and Envoy from the environment, and rather from the options', () => {
  const environment: NodeJS.ProcessEnv = { OPA_ENVOY: 'a' };
  expect(readOptions([], environment).opa).toBe('a');
  expect(readOptions(['--opa', 'b', '--envoy', 'c'], environment).opa).toBe('b');
  expect(environment.POSTERN_TEST_ENVOY).toBe('c');
});
