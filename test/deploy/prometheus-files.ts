import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { repository } from './image/image-tree.ts';
import { promtool } from './tools.ts';

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** A panel of Grafana's, as far as it is looked at. */
export interface Panel {
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: { readonly uid: string };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly datasource: { readonly uid: string } }[];
}

export const alertsFile = join(repository, 'deploy/prometheus/alerts.yaml');

export function readAlerts(): AlertRule[] {
  const { groups } = parse(readFileSync(alertsFile, 'utf8')) as { groups: { rules: AlertRule[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

/** The panels that show something; rows are left out. */
export function readPanels(): Panel[] {
  const text = readFileSync(join(repository, 'deploy/grafana/postern.json'), 'utf8');
  const { panels } = JSON.parse(text) as { panels: Panel[] };
  return panels.filter(({ type }) => type !== 'row');
}

/** Every expression of the dashboard, with what Grafana puts in for its variables. */
export function dashboardExpressions(): string[] {
  const expressions = readPanels().flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  return expressions.map((expr) => expr.replaceAll('$__rate_interval', '1m').replaceAll(/\$\w+/g, '.*'));
}

/** The series that an expression asks for, without what is in its quotes and braces. */
export function seriesIn(expr: string): string[] {
  const bare = expr.replaceAll(/"[^"]*"/g, '').replaceAll(/\{[^}]*\}/g, '');
  return [...bare.matchAll(/\b(?:postern|process|nodejs)_\w+|\bup\b/g)].map(([name]) => name);
}

/** The names of the series that a scrape may have, by the types that it declares; `up` is Prometheus's own. */
export function seriesOf(scrape: string): Set<string> {
  const declared = [...scrape.matchAll(/^# TYPE (\w+) (\w+)$/gm)];
  const parts = ['_bucket', '_sum', '_count'];
  const names = declared.flatMap(([, name = '', type]) =>
    type === 'histogram' ? parts.map((part) => name + part) : [name],
  );
  return new Set(['up', ...names]);
}

/** The lines of a scrape that are of Postern's own metrics. */
export function ownLines(scrape: string): string {
  const lines = scrape.split('\n').filter((line) => /^(?:# \w+ )?postern_/.test(line));
  return `${lines.join('\n')}\n`;
}

/** Runs promtool; `input` is what it reads on standard input. */
export async function runPromtool(
  args: readonly string[],
  input = '',
): Promise<{ code: number; output: string }> {
  const child = spawn(await promtool(), args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [code] = await once(child, 'close');
  return { code: Number(code), output: Buffer.concat(chunks).toString() };
}
