import type { PeerRounds, Round, ScenarioResult } from '../checks/rounds.ts';
import type { MemoryResult } from '../checks/weigh.ts';
import { doubts } from './doubts.ts';

/** The median of all rounds, the lowest and the highest. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** One peer in one scenario. */
export interface Line {
  readonly name: string;
  readonly checksPerSecond: Spread;
  /** Processor time of the server for each Check, microseconds; of an Envoy where it has none behind it. */
  readonly micros: Spread;
  /** The same with what each turn left to be done later, divided by all of its answers. */
  readonly allMicros: Spread;
  /** Of the Envoy in front of the server; null without one. */
  readonly proxyMicros: Spread | null;
  /** `allMicros` by those of the Go peer's turn of the same number; null for that one, or without it. */
  readonly toGo: Spread | null;
  /** The same by those of the Postern whose variant it is; null for any other. */
  readonly toPlain: Spread | null;
  readonly p50Ms: Spread;
  readonly p99Ms: Spread;
  readonly p999Ms: Spread;
  /** `p99Ms` and `p999Ms` by those of the Go peer's turn of the same number, where the load is open; else null. */
  readonly tailsToGo: { readonly p99: Spread; readonly p999: Spread } | null;
  /** Of one core, 0 to 1. */
  readonly clientShare: Spread;
  /** What there is to doubt, a few words each. */
  readonly doubts: readonly string[];
}

/** What one key takes in a peer's memory, in bytes: all pairs of a round with keys and one without. */
export interface MemoryLine {
  readonly name: string;
  readonly keys: number;
  readonly startedBytes: number;
  readonly emptyBytes: Spread;
  readonly filledBytes: Spread;
  readonly bytesPerKey: Spread;
}

export function linesOf({ peers, scenario }: ScenarioResult): Line[] {
  const go = peers.find(({ name }) => name === 'go');
  const plain = peers.find(({ name }) => name === 'postern');
  return peers.map((peer) => {
    const of = (value: (round: Round) => number) => spreadOf(peer.rounds.map(value));
    const hasProxy = peer.rounds.every(({ proxy }) => proxy !== null);
    return {
      name: peer.name,
      checksPerSecond: of(checksPerSecond),
      micros: of(({ server, checks }) => server.ranNs / 1000 / checks),
      allMicros: of(allMicros),
      proxyMicros: hasProxy ? of(({ proxy, checks }) => (proxy?.ranNs ?? 0) / 1000 / checks) : null,
      toGo: go === undefined || go === peer ? null : ratio(peer, go),
      toPlain: plain !== undefined && isVariant(peer) ? ratio(peer, plain) : null,
      p50Ms: of(({ latencyMs }) => latencyMs.p50),
      p99Ms: of(({ latencyMs }) => latencyMs.p99),
      p999Ms: of(({ latencyMs }) => latencyMs.p999),
      tailsToGo: go === undefined || go === peer || scenario.perSecond === null ? null : tailRatios(peer, go),
      clientShare: of(({ client, seconds }) => client.ranNs / 1e9 / seconds),
      doubts: doubts(peer, scenario),
    };
  });
}

/** As `postern, plans` is of `postern`. */
function isVariant({ name }: PeerRounds): boolean {
  return name.startsWith('postern, ');
}

export function memoryLine({ name, keys, started, empty, filled }: MemoryResult): MemoryLine {
  const differences = filled.flatMap((after) => empty.map((before) => (after - before) / keys));
  return {
    ...{ name, keys, startedBytes: started },
    emptyBytes: spreadOf(empty),
    filledBytes: spreadOf(filled),
    bytesPerKey: spreadOf(differences),
  };
}

export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), low: Math.min(...values), high: Math.max(...values) };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle)] ?? Number.NaN)) / 2;
}

/** As in `12.3 (11.9–12.8)`; without the brackets where there was but one value. */
export function spreadText({ median: middle, low, high }: Spread, digits: number): string {
  const text = (value: number) => value.toFixed(digits);
  return low === high ? text(middle) : `${text(middle)} (${text(low)}–${text(high)})`;
}

/** Turns of the same number are compared: what slows the machine for a while is in both. */
function ratio(peer: PeerRounds, other: PeerRounds): Spread {
  return spreadOf(peer.rounds.map((round, at) => allMicros(round) / allMicros(other.rounds[at] as Round)));
}

function tailRatios(peer: PeerRounds, other: PeerRounds): { readonly p99: Spread; readonly p999: Spread } {
  const of = (value: (round: Round) => number) =>
    spreadOf(peer.rounds.map((round, at) => value(round) / value(other.rounds[at] as Round)));
  return { p99: of(({ latencyMs }) => latencyMs.p99), p999: of(({ latencyMs }) => latencyMs.p999) };
}

function checksPerSecond(round: Round): number {
  return round.checks / round.seconds;
}

function allMicros(round: Round): number {
  return round.untilNextNs / 1000 / round.answered;
}
