import { expect, it } from 'vitest';
import { createJudge } from '../../../src/cli/config/pattern/verdicts.ts';
import { createExamination } from '../../../src/cli/config/setting-examination.ts';
import type { ExaminerInput } from '../../../src/cli/config/setting-examiner.ts';
import { lookAtSettings, readerOf } from '../../../src/cli/config/setting-files.ts';
import { examineSettings } from '../../../src/cli/config/settings.ts';

const flags = { config: 'postern.yaml', set: {} };

function scheme(pattern: string): string {
  return `schemes: [postern, { name: acme, places: [{ query: key }], prefixes: { a_: live }, accept: { pattern: '${pattern}' }, mint: { alphabet: a-f, length: 64 } }]`;
}

/** An examination of one settings file that is a variable, and what was examined in another thread. */
function setUp(startedWith: string, environment: Record<string, string> = {}) {
  const look = (text: string) => lookAtSettings(flags, environment, () => text);
  const apart: ExaminerInput[] = [];
  const started = createJudge();
  examineSettings(flags, environment, readerOf(look(startedWith)), started.judge);
  const examine = createExamination(flags, environment, started.verdicts, async (input) => {
    apart.push(input);
    const { judge, verdicts } = createJudge();
    return { ...examineSettings(input.flags, input.environment, readerOf(input), judge), verdicts };
  });
  return { apart, read: (text: string) => examine(look(text)) };
}

it('Short settings that bring no new pattern are examined without another thread', async () => {
  const { read, apart } = setUp(scheme('[a-f]{64}'));
  const { config } = await read(`log: { level: warn }\n${scheme('[a-f]{64}')}`);
  expect(config?.logLevel).toBe('warn');
  const { config: none, problems } = await read('log: { level: loud }');
  expect([none, problems.length]).toEqual([null, 1]);
  expect(apart).toEqual([]);
});

it('A pattern is judged in another thread once, and holds for what is read after it', async () => {
  const { read, apart } = setUp('');
  const good = scheme('[a-f0-9]{64}');
  expect((await read(good)).config?.schemes).toHaveLength(2);
  expect((await read(`log: { level: warn }\n${good}`)).config?.schemes).toHaveLength(2);
  expect(apart).toHaveLength(1);
  const bad = await read(scheme('(a+)+b'));
  const again = await read(scheme('(a+)+b'));
  expect([bad.config, again.config]).toEqual([null, null]);
  expect(again.problems).toEqual(bad.problems);
  expect(apart).toHaveLength(2);
});

it('Long settings are examined in another thread, each time', async () => {
  const { read, apart } = setUp('');
  const rule = '{ match: { path: /a/* }, permissions: [read:a] }';
  const long = `rules: [${Array.from({ length: 500 }, (_, at) => rule.replace('/a/', `/a${at}/`)).join(', ')}]`;
  for (let times = 0; times < 2; times++) expect((await read(long)).config?.rules).toHaveLength(500);
  expect(apart).toHaveLength(2);
});

it('What variables of OpenTelemetry say holds in either thread', async () => {
  const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' };
  const { read } = setUp('', environment);
  const started = createJudge();
  const { tree } = examineSettings(
    flags,
    environment,
    readerOf(lookAtSettings(flags, environment, () => '')),
    started.judge,
  );
  expect((await read('')).tree).toEqual(tree);
  const { tree: long } = await read(`# ${'a'.repeat(20_000)}\n`);
  expect(long).toEqual(tree);
});
