import { expect, it } from 'vitest';
import { kinds } from '../../bench/keys.ts';
import { readOptions, WrongOption } from '../../bench/options.ts';
import { estimateSeconds, matrix } from '../../bench/scenario.ts';

it.each([16, 20, 30])('selects what %i minutes have room for', (minutes) => {
  const seconds = estimateSeconds(matrix(minutes, true));
  expect(seconds).toBeLessThanOrEqual(minutes * 60);
  expect(estimateSeconds(matrix(minutes, false))).toBeLessThanOrEqual(minutes * 60);
});

it('asks every kind, one stream and many, and a million keys', () => {
  const scenarios = matrix(15, true).flatMap((group) => group.scenarios);
  expect(new Set(scenarios.map(({ kind }) => kind))).toEqual(new Set(kinds));
  expect(new Set(scenarios.map(({ streams }) => streams))).toEqual(new Set([1, 64, 512]));
  expect(new Set(scenarios.map(({ connections }) => connections))).toEqual(new Set([1, 4, 32]));
  expect(matrix(15, true).map(({ keys }) => keys)).toEqual([100_000, 1_000_000, 100_000]);
});

it('makes turns longer where there is time, and never shorter than a second', () => {
  const turn = (minutes: number) => matrix(minutes, true)[0]?.scenarios[0]?.seconds ?? 0;
  expect(turn(1)).toBe(1);
  expect(turn(30)).toBeGreaterThan(turn(10));
});

it.each([
  ['--streams', '0'],
  ['--rate', '1.5'],
  ['--kind', 'x'],
  ['--peers', 'go,x'],
  ['--nonsense'],
  ['--matrix', '--minutes', '2'],
])('refuses %s %s %s', (...argv) => {
  expect(() => readOptions(argv, {})).toThrow(WrongOption);
});

it('takes OPA and Envoy from the environment, and rather from the options', () => {
  const environment: NodeJS.ProcessEnv = { OPA_ENVOY: 'a' };
  expect(readOptions([], environment).opa).toBe('a');
  expect(readOptions(['--opa', 'b', '--envoy', 'c'], environment).opa).toBe('b');
  expect(environment.POSTERN_TEST_ENVOY).toBe('c');
});
