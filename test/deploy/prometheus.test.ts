import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { parse, stringify } from 'yaml';
import { admin, makeKey, type Stack, send, startStack } from '../e2e/stack.ts';
import { repository } from './image/image-tree.ts';
import {
  alertsFile,
  dashboardExpressions,
  ownLines,
  readAlerts,
  readPanels,
  runPromtool,
  seriesIn,
  seriesOf,
} from './prometheus-files.ts';

const alerts = readAlerts();
const panels = readPanels();
const guide = readFileSync(join(repository, 'docs/monitoring.md'), 'utf8');

let stack: Stack;
let scrape: string;

beforeAll(async () => {
  stack = await startStack({});
  const { key, id } = await makeKey(stack.postern);
  for (const header of [`Bearer ${key}`, 'Bearer none', `Bearer ${key}`]) {
    await send(stack.envoy.url, '/', [['authorization', header]]);
  }
  await admin(stack.postern, 'DELETE', `/admin/api-keys/${id}`);
  scrape = await (await fetch(`${stack.postern.url}/metrics`)).text();
});
afterAll(() => stack?.stop());

it('is a configuration and rules that Prometheus takes', async () => {
  const { code, output } = await runPromtool([
    'check',
    'config',
    join(repository, 'deploy/prometheus/prometheus.yml'),
  ]);
  expect(output).toContain(`${alerts.length} rules found`);
  expect(code, output).toBe(0);
});

it('each alert fires on the series that it is for, and on no other', async () => {
  const { code, output } = await runPromtool(['test', 'rules', alertsFile.replace('.yaml', '.test.yaml')]);
  expect(code, output).toBe(0);
});

it('each alert has series on which it fires and series on which it does not', () => {
  const { tests } = parse(readFileSync(alertsFile.replace('.yaml', '.test.yaml'), 'utf8')) as {
    tests: { alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[];
  };
  const cases = tests.flatMap(({ alert_rule_test }) => alert_rule_test);
  for (const { alert } of alerts) {
    const firing = cases
      .filter(({ alertname }) => alertname === alert)
      .map(({ exp_alerts }) => exp_alerts.length > 0);
    expect([alert, new Set(firing)]).toEqual([alert, new Set([true, false])]);
  }
});

it('each alert says how bad it is and leads to a paragraph of the guide', () => {
  const anchors = [...guide.matchAll(/^### (\w+)$/gm)].map(([, name = '']) => name);
  expect(anchors.toSorted()).toEqual(alerts.map(({ alert }) => alert).toSorted());
  for (const { alert, labels, annotations } of alerts) {
    expect(labels.severity, alert).toMatch(/^(?:critical|warning)$/);
    expect(annotations).toMatchObject({
      summary: expect.stringMatching(/\.$/),
      description: expect.stringMatching(/\.$/),
      runbook: `docs/monitoring.md#${alert.toLowerCase()}`,
    });
  }
});

it('promtool finds nothing in the metrics of a service that has answered Checks', async () => {
  expect(scrape).toContain('postern_checks_total{decision="allow",reason="",scheme="postern"} 2');
  const { code, output } = await runPromtool(['check', 'metrics'], ownLines(scrape));
  expect([code, output]).toEqual([0, '']);
});

it('alerts and dashboard ask for series that the service has', () => {
  const asked = [...alerts.map(({ expr }) => expr), ...dashboardExpressions()].flatMap(seriesIn);
  const served = seriesOf(scrape);
  expect(asked.length).toBeGreaterThan(40);
  expect([...new Set(asked)].filter((name) => !served.has(name))).toEqual([]);
});

it('the dashboard shows every counter that says what was allowed, denied, spent and missed', () => {
  const asked = new Set(dashboardExpressions().flatMap(seriesIn));
  const counters = [...scrape.matchAll(/^# TYPE (postern_\w+_total) counter$/gm)].map(
    ([, name = '']) => name,
  );
  // What is rare: an alert or the log tells of it.
  const rare = /^postern_(?:bad_records|config_reloads|github_\w+)_total$/;
  expect(counters).toContain('postern_limit_units_total');
  expect(counters.filter((name) => !asked.has(name) && !rare.test(name))).toEqual([]);
});

it('each expression of the dashboard is PromQL', async () => {
  const rules = dashboardExpressions().map((expr, index) => ({ record: `dashboard:${index}`, expr }));
  const folder = await mkdtemp(join(tmpdir(), 'postern-dashboard-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'rules.yaml');
  await writeFile(file, stringify({ groups: [{ name: 'dashboard', rules }] }));
  const { code, output } = await runPromtool(['check', 'rules', file]);
  expect(code, output).toBe(0);
});

it('each panel of the dashboard has a title of its own, a unit, a description, the variable of its source, and room', () => {
  expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
  for (const panel of panels) {
    expect(panel.title).toMatch(/^[A-Z]/);
    expect(panel.description, panel.title).toMatch(/\.$/);
    expect(panel.fieldConfig?.defaults.unit, panel.title).toMatch(/^\w+$/);
    expect(panel.datasource?.uid, panel.title).toMatch(/^\$\{datasource\}$/);
    for (const { datasource } of panel.targets ?? []) expect(datasource.uid).toMatch(/^\$\{datasource\}$/);
    expect(overlapping(panel), panel.title).toEqual([]);
  }
});

it('the guide has every metric of the service', () => {
  const own = [...scrape.matchAll(/^# TYPE (postern_\w+) /gm)].map(([, name = '']) => name);
  expect(own.length).toBeGreaterThan(8);
  expect(own.filter((name) => !guide.includes(`\`${name}`))).toEqual([]);
});

function overlapping({ title, gridPos: own }: (typeof panels)[number]): string[] {
  const others = panels.filter((other) => other.title !== title);
  return others
    .filter(
      ({ gridPos: { x, y, w, h } }) =>
        x < own.x + own.w && own.x < x + w && y < own.y + own.h && own.y < y + h,
    )
    .map((other) => other.title);
}
