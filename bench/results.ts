import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Machine } from './machine.ts';
import { memoryTable, scenarioTable } from './markdown.ts';
import { type Plot, plotSvg } from './plot.ts';
import { linesOf } from './report.ts';
import type { RunResult, ScenarioResult } from './run.ts';

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
  write('README.md', resultsMarkdown(results, drawn));
}

export function resultsMarkdown(results: Results, drawn: readonly string[]): string {
  const { day, machine, versions, placing, raw, scenarios, memory } = results;
  const { processor, cores, memoryGb, kernel, node, postern } = machine;
  const known = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const direct = scenarios.filter(({ throughEnvoy }) => !throughEnvoy);
  const edge = scenarios.filter(({ throughEnvoy }) => throughEnvoy);
  const sections = [
    `# Results\n\nWritten by \`npm run bench\`; [how to read them](../README.md).`,
    `${day}, on ${processor}, ${cores} cores, ${memoryGb} GB, ${kernel}; ${placing}. Postern ${postern ?? 'of no revision'}, ${[`Node ${node}`, ...known].join(', ')}. Headers as a ${raw ? 'header_map' : 'map'}.`,
    ...drawn,
    ...(direct.length > 0 ? ['## Checks', ...direct.map(scenarioTable)] : []),
    ...(memory.length > 0 ? ['## Memory', memoryTable(memory)] : []),
    ...(edge.length > 0 ? ['## Through Envoy', ...edge.map(scenarioTable)] : []),
  ];
  return `${sections.join('\n\n')}\n`;
}

function plotsOf(scenarios: readonly ScenarioResult[]): { file: string; plot: Plot }[] {
  const direct = scenarios.filter(({ throughEnvoy }) => !throughEnvoy);
  const edge = scenarios.filter(({ throughEnvoy, scenario }) => throughEnvoy && scenario.streams === 1);
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

function plotTitle({ scenario, keys }: ScenarioResult): string {
  const { kind, streams, connections, perSecond } = scenario;
  const load = perSecond === null ? `${streams} on ${connections}` : `${perSecond}/s`;
  const many = keys >= 1_000_000 ? `${keys / 1_000_000} M` : `${keys / 1_000} k`;
  return `${kind}, ${load}, ${many} keys`;
}

/** A run in words, for the terminal. */
export function describeGroup({ scenarios }: RunResult): string {
  return scenarios.map((result) => scenarioTable(result)).join('\n\n');
}
