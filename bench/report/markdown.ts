import type { ScenarioResult } from '../checks/rounds.ts';
import { scenarioName } from '../checks/scenario.ts';
import type { MemoryResult } from '../checks/weigh.ts';
import { isListed } from '../client/order.ts';
import { type Line, linesOf, type MemoryLine, memoryLine, type Spread, spreadText } from './report.ts';

/** A scenario's table, under its name. */
export function scenarioTable(result: ScenarioResult): string {
  const { throughEnvoy } = result.group;
  const { scenario } = result;
  const lines = linesOf(result);
  const head = throughEnvoy
    ? ['', 'requests/s', 'µs CPU of Envoy', 'µs CPU of the service', 'p50 ms', 'p99 ms', 'p99.9 ms']
    : [
        '',
        'Checks/s',
        'µs CPU/Check',
        'in all',
        'to Go',
        ...plainHead(lines),
        'p50 ms',
        'p99 ms',
        'p99.9 ms',
        ...tailHead(lines),
      ];
  const { rounds, seconds, order } = scenario;
  const turns = isListed(order)
    ? `${rounds} rounds of a part of the keys`
    : `${rounds} rounds of ${seconds} s`;
  const cells = (line: Line) =>
    throughEnvoy
      ? edgeCells(line)
      : [...directCells(line, plainHead(lines).length > 0), ...tailCells(line, tailHead(lines).length > 0)];
  return [
    `**${scenarioTitle(result)}** (${turns}${ofRevision(result)})`,
    '',
    table(
      [...head, 'client %', 'to doubt'],
      lines.map((line) => [...cells(line), ...lastCells(line)]),
    ),
  ].join('\n');
}

function ofRevision({ revision }: Pick<ScenarioResult, 'revision'>): string {
  return revision === undefined ? '' : `; Postern ${revision ?? 'of no revision'}`;
}

/** As in `hit, 64 streams on 4 connections; 100,000 keys`. */
export function scenarioTitle({ group, scenario }: Pick<ScenarioResult, 'group' | 'scenario'>): string {
  return `${scenarioName(scenario)}; ${groupTitle(group)}`;
}

/** What the titles of a group's rows end in, as in `100,000 keys, on MongoDB`. */
export function groupTitle({ keys, store, throughEnvoy }: ScenarioResult['group']): string {
  const where = `${throughEnvoy ? ', through Envoy' : ''}${store === 'mongodb' ? ', on MongoDB' : ''}`;
  return `${keys.toLocaleString('en')} keys${where}`;
}

/** Only where there is something to put below it. */
function plainHead(lines: readonly Line[]): string[] {
  return lines.some(({ toPlain }) => toPlain !== null) ? ['to Postern'] : [];
}

/** The same, of an open load beside Go. */
function tailHead(lines: readonly Line[]): string[] {
  return lines.some(({ tailsToGo }) => tailsToGo !== null) ? ['p99 to Go', 'p99.9 to Go'] : [];
}

function tailCells({ tailsToGo }: Line, hasTails: boolean): string[] {
  if (!hasTails) return [];
  return tailsToGo === null ? ['', ''] : [spreadText(tailsToGo.p99, 2), spreadText(tailsToGo.p999, 2)];
}

export function memoryTable(results: readonly MemoryResult[]): string {
  const megabytes = (spread: Spread) => spreadText(scaled(spread, 1 / 1e6), 0);
  const cells = ({ name, keys, startedBytes, emptyBytes, filledBytes, bytesPerKey }: MemoryLine) => [
    name,
    keys.toLocaleString('en'),
    (startedBytes / 1e6).toFixed(0),
    megabytes(emptyBytes),
    megabytes(filledBytes),
    spreadText(bytesPerKey, 0),
  ];
  const head = ['', 'keys', 'MB started', 'MB with one key', 'MB with all', 'bytes each'];
  const [first] = results;
  const shown = table(
    head,
    results.map((result) => cells(memoryLine(result))),
  );
  return first?.revision === undefined
    ? shown
    : `Of Postern ${first.revision ?? 'of no revision'}.\n\n${shown}`;
}

function directCells(line: Line, hasPlain: boolean): string[] {
  const ratio = (spread: Spread | null) => (spread === null ? '' : spreadText(spread, 2));
  const micros = [line.micros, line.allMicros].map((spread) => spreadText(spread, 1));
  const ratios = [ratio(line.toGo), ...(hasPlain ? [ratio(line.toPlain)] : [])];
  return [line.name, spreadText(line.checksPerSecond, 0), ...micros, ...ratios, ...latencies(line)];
}

function edgeCells(line: Line): string[] {
  const [proxy, service] = line.proxyMicros === null ? [line.micros, null] : [line.proxyMicros, line.micros];
  return [
    line.name,
    spreadText(line.checksPerSecond, 0),
    spreadText(proxy, 1),
    service === null ? '' : spreadText(service, 1),
    ...latencies(line),
  ];
}

function latencies({ p50Ms, p99Ms, p999Ms }: Line): string[] {
  return [p50Ms, p99Ms, p999Ms].map((spread) =>
    Number.isNaN(spread.median) ? '' : spreadText(spread, spread.median < 1 ? 3 : 2),
  );
}

function lastCells({ clientShare, doubts }: Line): string[] {
  return [(100 * clientShare.median).toFixed(0), doubts.join('; ')];
}

function scaled({ median, low, high }: Spread, by: number): Spread {
  return { median: median * by, low: low * by, high: high * by };
}

/** Names to the left and figures to the right; columns are padded, so that it reads as it is, too. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, at) =>
    Math.max(3, title.length, ...rows.map((row) => row[at]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) => {
    const padded = cells.map((cell, at) =>
      at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0),
    );
    return `| ${padded.join(' | ')} |`;
  };
  const rule = widths.map((width, at) => (at === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}
