import { expect, it } from 'vitest';
import type { Decision } from '../../src/check/authorize.ts';
import { readPresets } from '../../src/presets/read.ts';
import { createDecisionLog } from '../../src/telemetry/decision-log.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { keyRecord } from '../records.ts';
import { accessRequest } from '../requests.ts';

const [scheme] = [...readPresets().values()];
if (scheme === undefined) throw new Error('unreachable');
const key = keyRecord({ owner: 'acme' });
const allow: Decision = {
  ...{
    verdict: 'allow',
    owner: null,
    key,
    scheme,
    permissions: [],
    withheld: { headers: [], changed: [], parameters: [] },
    plan: null,
    rate: null,
  },
};
const deny: Decision = { verdict: 'deny', reason: 'expired', scheme, key, terms: null, rate: null };
const request = accessRequest({ address: '192.0.2.1', headers: [['authorization', 'Bearer geheim']] });
const span = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) };

const clock = { ms: 0 };

function logged(ratio: number, draws: readonly number[], decisions: readonly Decision[], trace = false) {
  const lines: string[] = [];
  const log = createLogger('info', { write: (text) => lines.push(text) });
  const left = [...draws];
  const tell = createDecisionLog({ log, random: () => left.shift() ?? 1, monotonic: () => clock.ms }, ratio);
  for (const decision of decisions) tell(decision, request, trace ? span : null);
  log.info('done');
  return lines
    .join('')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .slice(0, -1);
}

it('each denial is a line, and no allow unless it is asked for', () => {
  const lines = logged(0, [0, 0], [allow, deny, { verdict: 'public' }, deny]);
  expect(lines.map(({ msg }) => msg)).toEqual(['denied', 'denied']);
});

it('of allows the part that is asked for is logged, with the key and without what the client sent', () => {
  const lines = logged(0.25, [0.2, 0.25, 0.9, 0], [allow, allow, allow, { verdict: 'public' }]);
  const common = { level: 30, time: expect.any(String), address: '192.0.2.1', msg: 'allowed' };
  expect(lines).toEqual([
    { ...common, scheme: 'postern', key_id: key.id },
    { ...common, public: true },
  ]);
});

it('with 1 every allow is logged', () => {
  expect(logged(1, [0.999_999, 0.5], [allow, allow])).toHaveLength(2);
});

it('a line names the trace of its Check where that is recorded', () => {
  for (const line of logged(1, [0], [allow, deny], true)) {
    expect(line).toMatchObject({ trace_id: span.traceId, span_id: span.spanId });
  }
});

it('of misconfigured routes there is a line at once and then one a minute, which says what is wrong', () => {
  const misconfigured = (problem: string): Decision => ({
    ...(deny as Extract<Decision, { verdict: 'deny' }>),
    ...{ reason: 'unavailable', key: null, misconfigured: { member: 'cost', problem } },
  });
  const lines: string[] = [];
  const log = createLogger('info', { write: (text) => lines.push(text) });
  const tell = createDecisionLog({ log, random: () => 1, monotonic: () => clock.ms }, 0);
  for (const ms of [0, 1, 59_999, 60_000, 119_999]) {
    clock.ms = ms;
    tell(misconfigured(ms < 60_000 ? 'first' : 'second'), request, null);
  }
  const told = lines
    .join('')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(told.map(({ misconfigured, checks }) => [misconfigured, checks])).toEqual([
    [['first'], 1],
    [['first', 'second'], 3],
  ]);
  expect(lines.join('')).not.toContain('geheim');
});
