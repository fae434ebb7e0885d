import type { PhaseResult } from './load.ts';

/** One peer's turns, in order. */
export interface PeerRounds {
  readonly name: string;
  readonly rounds: readonly PhaseResult[];
}

interface Column {
  readonly title: string;
  readonly value: (round: PhaseResult) => number;
  readonly digits: number;
}

const columns: readonly Column[] = [
  { title: 'Checks/s', value: checksPerSecond, digits: 0 },
  { title: 'µs CPU/Check', value: microsPerCheck, digits: 1 },
  { title: 'p50 ms', value: (round) => round.latencyMs.p50, digits: 2 },
  { title: 'p99 ms', value: (round) => round.latencyMs.p99, digits: 2 },
  { title: 'p99.9 ms', value: (round) => round.latencyMs.p999, digits: 2 },
  { title: 'server %', value: (round) => 100 * share(round, round.server.ranNs), digits: 0 },
  { title: 'client %', value: (round) => 100 * share(round, round.client.ranNs), digits: 0 },
];

/** The table of all peers, the ratio of Postern to the other one, and what there is to doubt about them. */
export function report(peers: readonly PeerRounds[]): string {
  const rows = [
    ['', ...columns.map((column) => column.title)],
    ...peers.map(({ name, rounds }) => [
      name,
      ...columns.map(({ value, digits }) => spread(rounds.map(value), digits)),
    ]),
  ];
  return [...table(rows), '', ...ratios(peers), ...peers.flatMap(doubts)].join('\n');
}

export function checksPerSecond(round: PhaseResult): number {
  return round.checks / round.seconds;
}

export function microsPerCheck(round: PhaseResult): number {
  return round.server.ranNs / 1000 / round.checks;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle)] ?? Number.NaN)) / 2;
}

function ratios(peers: readonly PeerRounds[]): string[] {
  const postern = peers.find((peer) => peer.name === 'postern');
  const other = peers.find((peer) => peer.name !== 'postern');
  if (postern === undefined || other === undefined) return [];
  const of = (value: (round: PhaseResult) => number) =>
    spread(
      postern.rounds.map((round, at) => value(round) / value(other.rounds[at] as PhaseResult)),
      2,
    );
  const [rate, cost] = [of(checksPerSecond), of(microsPerCheck)];
  return [`Postern / ${other.name}, round by round: Checks/s ${rate}, CPU/Check ${cost}`];
}

/** Client at its limit with the server below: the rate is then the client's, not the server's. */
const clientLimit = 0.9;
const serverIdle = 0.85;
const takenLimit = 0.05;

function doubts({ name, rounds }: PeerRounds): string[] {
  const below = rounds.filter((round) => share(round, round.server.ranNs) + taken(round) < serverIdle);
  const clientBound = below.filter((round) => share(round, round.client.ranNs) > clientLimit);
  const idle = below.filter((round) => !clientBound.includes(round));
  const disturbed = rounds.filter((round) => taken(round) > takenLimit);
  const of = (some: readonly unknown[]) => `${name}: in ${some.length} of ${rounds.length} rounds`;
  const lines = [];
  if (clientBound.length > 0)
    lines.push(`${of(clientBound)} the client was the bottleneck; Checks/s is too low`);
  if (idle.length > 0) lines.push(`${of(idle)} neither side was busy; Checks/s is too low, CPU/Check holds`);
  if (disturbed.length > 0) {
    const waited = spread(
      disturbed.map((round) => 100 * taken(round)),
      0,
    );
    lines.push(`${of(disturbed)} others had the server's core for ${waited} % of the time`);
  }
  return lines;
}

/** Threads of one server wait for each other too: only what it did not use itself was taken from it. */
function taken(round: PhaseResult): number {
  return Math.min(share(round, round.server.waitedNs), 1 - share(round, round.server.ranNs));
}

function share(round: PhaseResult, ns: number): number {
  return ns / 1e9 / round.seconds;
}

function spread(values: readonly number[], digits: number): string {
  const text = (value: number) => value.toFixed(digits);
  return `${text(median(values))} (${text(Math.min(...values))}–${text(Math.max(...values))})`;
}

function table(rows: readonly string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
