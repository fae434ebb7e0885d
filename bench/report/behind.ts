import type { ScenarioResult } from '../checks/rounds.ts';
import { scenarioTitle } from './markdown.ts';
import { type Line, linesOf, type Spread } from './report.ts';

/** A figure of Postern's that is worse than the Go server's in the same run. */
export interface Behind {
  readonly row: string;
  readonly peer: string;
  readonly figure: 'µs in all' | 'p99' | 'p99.9';
  readonly own: number;
  readonly go: number;
}

/** Within which two medians are held to be the same: what the rounds of one server differ by on a quiet machine. */
const sameWithin = 1.05;

/**
 * Where Postern is behind Go: in processor time, or, where the load is open, in p99 and p99.9, by the ratios of turns of
 * the same number. Latencies of a closed
 * load tell of the rate that it reached, so none of them is compared.
 */
export function behindGo(results: readonly ScenarioResult[]): Behind[] {
  return results.flatMap((result) => {
    const lines = linesOf(result);
    const go = lines.find(({ name }) => name === 'go');
    if (go === undefined) return [];
    return lines
      .filter(({ name }) => name.startsWith('postern'))
      .flatMap((line) => worse(line, go, result).map((found) => ({ row: scenarioTitle(result), ...found })));
  });
}

function worse(line: Line, go: Line, { group, scenario }: ScenarioResult): Omit<Behind, 'row'>[] {
  const found: Omit<Behind, 'row'>[] = [];
  const compare = (figure: Behind['figure'], ratio: Spread, own: number, other: number) => {
    if (ratio.median > sameWithin) found.push({ peer: line.name, figure, own, go: other });
  };
  // Behind an Envoy, and asked by ghz on all cores, a rate of its own decides how much of a core is used.
  const isCost = !group.throughEnvoy && scenario.during === null;
  if (isCost && line.toGo !== null && line.toGo.median > sameWithin)
    found.push({ peer: line.name, figure: 'µs in all', own: line.allMicros.median, go: go.allMicros.median });
  if (line.tailsToGo !== null) {
    compare('p99', line.tailsToGo.p99, line.p99Ms.median, go.p99Ms.median);
    compare('p99.9', line.tailsToGo.p999, line.p999Ms.median, go.p999Ms.median);
  }
  return found;
}

/** As it stands above the tables. */
export function behindMarkdown(found: readonly Behind[], reasons: ReadonlyMap<string, string>): string {
  if (found.length === 0)
    return 'No row of these is behind the Go server, in processor time or in the tail of an open load.';
  const lines = found.map(({ row, peer, figure, own, go }) => {
    const unit = figure === 'µs in all' ? 'µs of processor' : `ms at ${figure}`;
    const why = reasons.get(row);
    return `- ${row}: ${peer} ${own.toFixed(2)}, Go ${go.toFixed(2)} ${unit}.${why === undefined ? '' : ` ${why}`}`;
  });
  return ['Behind the Go server:', '', ...lines].join('\n');
}
