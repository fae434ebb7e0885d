import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { sections } from '../checks/matrix.ts';
import type { ScenarioResult } from '../checks/rounds.ts';
import type { RunResult } from '../checks/run.ts';
import { behindGo, behindMarkdown } from './behind.ts';
import { isAlone, isQuiet } from './doubts.ts';
import { failuresMarkdown, stillFailed } from './failures.ts';
import type { Machine } from './machine.ts';
import { memoryTable, scenarioTable, scenarioTitle } from './markdown.ts';
import { type Plot, plotSvg } from './plot.ts';
import { linesOf } from './report.ts';

/** All that a run came to. */
export interface Results extends RunResult {
  /** The day, UTC. */
  readonly day: string;
  readonly machine: Machine;
  /** Of the peers that took part, by name. */
  readonly versions: Readonly<Record<string, string>>;
  readonly placing: string;
  readonly raw: boolean;
}

/** Writes `README.md`, `results.json` and the plots into `folder`, and makes it where there is none. */
export function writeResults(folder: string, results: Results): void {
  mkdirSync(folder, { recursive: true });
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  const drawn = plotsOf(results.scenarios).map(({ file, plot }) => {
    write(file, plotSvg(plot));
    return `![${plot.title}](${file})`;
  });
  write('results.json', `${JSON.stringify(results, null, 1)}\n`);
  write('README.md', resultsMarkdown(results, { drawn, reasons: readReasons(folder) }));
}

/**
 * These results, and the rows of those that the folder has which these lack, where they are of the same machine: so a
 * selection can be measured section by section, and a row that was disturbed again. Those of another revision say so.
 */
export function withOthers(folder: string, results: Results): Results {
  const file = join(folder, 'results.json');
  if (!existsSync(file)) return results;
  const before = JSON.parse(readFileSync(file, 'utf8')) as Omit<Results, 'failed'> & Partial<Results>;
  const { postern } = results.machine;
  if (!isDeepStrictEqual({ ...before.machine, postern }, results.machine)) return results;
  const marked = <Row extends { readonly revision?: string | null }>(row: Row): Row => {
    const { revision = before.machine.postern, ...rest } = row;
    return (revision === postern ? rest : { ...rest, revision }) as Row;
  };
  const nameOf = (row: ScenarioResult) => `${row.group.title}: ${scenarioTitle(row)}`;
  const measured = new Map(results.scenarios.map((row) => [nameOf(row), row]));
  const kept = before.scenarios.map((row) => measured.get(nameOf(row)) ?? marked(row));
  const names = new Set(before.scenarios.map(nameOf));
  return {
    ...results,
    versions: { ...before.versions, ...results.versions },
    scenarios: [...kept, ...results.scenarios.filter((row) => !names.has(nameOf(row)))],
    memory: results.memory.length > 0 ? results.memory : before.memory.map(marked),
    failed: [...stillFailed(before.failed ?? [], results), ...results.failed],
  };
}

/** Of the ratios of one row's rounds, how many times the lowest the highest may be. */
const agreeWithin = 1.5;

/**
 * Only what was measured while nothing else ran on the machine, in every turn that was kept; and the names of the rest.
 * Where the host gave its cores to others meanwhile it did so in the turns of each peer, which alternate: such a row is
 * kept for its ratios, where those of its rounds agree.
 */
export function believable(results: Results): {
  readonly results: Results;
  readonly leftOut: readonly string[];
} {
  const isBelieved = (result: ScenarioResult) => {
    const rounds = result.peers.flatMap((peer) => peer.rounds);
    return rounds.every(isAlone) && (rounds.every(isQuiet) || doRatiosAgree(result));
  };
  return {
    results: { ...results, scenarios: results.scenarios.filter(isBelieved) },
    leftOut: results.scenarios.filter((result) => !isBelieved(result)).map(scenarioTitle),
  };
}

function doRatiosAgree(result: ScenarioResult): boolean {
  return linesOf(result).every(({ toGo }) => toGo === null || toGo.high <= agreeWithin * toGo.low);
}

/** Why a row is behind Go, a sentence for each title of one, where somebody has written them down. */
function readReasons(folder: string): ReadonlyMap<string, string> {
  const file = join(folder, 'reasons.json');
  return new Map(Object.entries(existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}));
}

export interface Shown {
  /** Plots, as Markdown. */
  readonly drawn: readonly string[];
  readonly reasons: ReadonlyMap<string, string>;
}

export function resultsMarkdown(results: Results, { drawn, reasons }: Shown): string {
  const { day, machine, versions, placing, raw, scenarios, memory, failed } = results;
  const { processor, cores, memoryGb, kernel, node, postern } = machine;
  const known = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const shown = sections.flatMap((title) => {
    const own = scenarios.filter(({ group }) => group.title === title);
    const weighed = title === 'Checks' && memory.length > 0 ? ['## Memory', memoryTable(memory)] : [];
    return [...(own.length > 0 ? [`## ${title}`, ...own.map(scenarioTable)] : []), ...weighed];
  });
  const parts = [
    `# Results\n\nWritten by \`npm run bench\`; [how to read them](../README.md).`,
    `${day}, on ${processor}, ${cores} cores, ${memoryGb} GB, ${kernel}; ${placing}. Postern ${postern ?? 'of no revision'}, ${[`Node ${node}`, ...known].join(', ')}. Headers as a ${raw ? 'header_map' : 'map'}.`,
    behindMarkdown(behindGo(scenarios), reasons),
    ...failuresMarkdown(failed),
    ...drawn,
    ...shown,
  ];
  return `${parts.join('\n\n')}\n`;
}

function plotsOf(scenarios: readonly ScenarioResult[]): { file: string; plot: Plot }[] {
  const direct = scenarios.filter(({ group }) => group.title === 'Checks');
  const edge = scenarios.filter(({ group, scenario }) => group.throughEnvoy && scenario.streams === 1);
  const costs = {
    title: 'Processor time of the server for each Check',
    unit: 'µs, with what a turn left to be done later; less is better; the line spans the rounds',
    groups: direct.map((result) => ({
      title: plotTitle(result),
      bars: linesOf(result).map(({ name, allMicros }) => ({ name, value: allMicros })),
    })),
  };
  const latencies = {
    title: 'Time of one request through Envoy, one at a time',
    unit: 'ms, the median of a round, less is better; the line spans the rounds',
    groups: edge.map((result) => ({
      title: plotTitle(result),
      bars: linesOf(result).map(({ name, p50Ms }) => ({ name, value: p50Ms })),
    })),
  };
  return [
    { file: 'processor-time.svg', plot: costs },
    { file: 'through-envoy.svg', plot: latencies },
  ].filter(({ plot }) => plot.groups.length > 0);
}

function plotTitle({ scenario, group: { keys } }: ScenarioResult): string {
  const { kind, streams, connections, perSecond } = scenario;
  const load = perSecond === null ? `${streams} on ${connections}` : `${perSecond}/s`;
  const many = keys >= 1_000_000 ? `${keys / 1_000_000} M` : `${keys / 1_000} k`;
  return `${kind}, ${load}, ${many} keys`;
}
