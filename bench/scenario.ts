import type { Kind } from './keys.ts';

/** What is asked in a row of rounds. */
export interface Scenario {
  readonly kind: Kind;
  /** Checks in the air at any time, or at most where the rate is constant. */
  readonly streams: number;
  readonly connections: number;
  /** Checks a second, due at equal distances; null for as many as are answered. */
  readonly perSecond: number | null;
  readonly rounds: number;
  readonly seconds: number;
}

/** Scenarios on peers that are started once. */
export interface Group {
  /** Whether callers' requests go through an Envoy, or Checks to the peers straight. */
  readonly throughEnvoy: boolean;
  readonly keys: number;
  readonly scenarios: readonly Scenario[];
}

/** Seconds of load before the first round of a scenario. */
export const warmupSeconds = { first: 3, later: 1 };

type Asked = readonly [kind: Kind, streams: number, connections: number, perSecond?: number];

/** Five rounds of what matters most, three of the rest. */
const main: Asked = ['hit', 64, 4];
const rest: readonly Asked[] = [
  ['miss', 64, 4],
  ['revoked', 64, 4],
  ['permission', 64, 4],
  ['malformed', 64, 4],
  ['hit', 1, 1],
  ['hit', 64, 1],
  ['hit', 512, 32],
  ['hit', 64, 4, 4_000],
];
const large: Asked = ['hit', 64, 4];
const edge: readonly Asked[] = [
  ['hit', 1, 1],
  ['hit', 64, 4],
  ['miss', 64, 4],
];
const smallKeys = 100_000;
const largeKeys = 1_000_000;
/** With each there is, beside an Envoy that asks nobody and one that asks itself where Checks go through one. */
const peersAssumed = { direct: 3, large: 2, edge: 5 };
/** For each peer: made, put into a store and asked for once. */
const secondsPerKey = 0.00013;
const startSeconds = 10;
const betweenTurnsSeconds = 0.4;
/** Twice a scenario, so that nothing of one is done in the next. */
const restSeconds = 18;
const secondsBounds = { min: 1, max: 10 };

/**
 * A selection of all that could be combined, with turns as long as `minutes` leave for them, 1 to 10 s: each kind
 * of answer, few and many streams and connections, a constant rate, a million keys, and, where there is one,
 * an Envoy.
 */
export function matrix(minutes: number, hasEnvoy: boolean): Group[] {
  let seconds = secondsBounds.max;
  while (seconds > secondsBounds.min && estimateSeconds(selection(seconds, hasEnvoy)) > minutes * 60)
    seconds--;
  return selection(seconds, hasEnvoy);
}

function selection(seconds: number, hasEnvoy: boolean): Group[] {
  const scenario = ([kind, streams, connections, perSecond]: Asked, rounds: number): Scenario => ({
    ...{ kind, streams, connections, perSecond: perSecond ?? null, rounds, seconds },
  });
  const small = [scenario(main, 5), ...rest.map((asked) => scenario(asked, 3))];
  const direct = [
    { throughEnvoy: false, keys: smallKeys, scenarios: small },
    { throughEnvoy: false, keys: largeKeys, scenarios: [scenario(large, 3)] },
  ];
  const through = { throughEnvoy: true, keys: smallKeys, scenarios: edge.map((asked) => scenario(asked, 3)) };
  return hasEnvoy ? [...direct, through] : direct;
}

/** About how long a run of these takes, in seconds. */
export function estimateSeconds(groups: readonly Group[]): number {
  return groups.reduce((sum, group) => sum + groupSeconds(group), 0);
}

function groupSeconds({ throughEnvoy, keys, scenarios }: Group): number {
  const direct = keys > smallKeys ? peersAssumed.large : peersAssumed.direct;
  const peers = throughEnvoy ? peersAssumed.edge : direct;
  const warm = warmupSeconds.first + (scenarios.length - 1) * warmupSeconds.later;
  const turns = scenarios.map(({ rounds, seconds }) => rounds * (seconds + betweenTurnsSeconds));
  const measured = turns.reduce((sum, turn) => sum + turn, 0);
  return startSeconds + scenarios.length * restSeconds + peers * (keys * secondsPerKey + warm + measured);
}

/** As in `hit, 64 streams on 4 connections`. */
export function scenarioName({ kind, streams, connections, perSecond }: Scenario): string {
  const plural = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;
  const load = perSecond === null ? plural(streams, 'stream') : `${perSecond} a second`;
  return `${kind}, ${load} on ${plural(connections, 'connection')}`;
}
