import { isListed, type Order } from '../client/order.ts';
import type { Kind } from '../common/kinds.ts';
import type { PeerName } from '../peers/peer.ts';
import type { PosternWork } from './alongside.ts';

/** What is asked in a row of rounds. */
export interface Scenario {
  readonly kind: Kind;
  readonly order: Order;
  /** Whether requests come from 50 000 addresses, not from eight. */
  readonly crowd: boolean;
  /** Checks in the air at any time, or at most where the rate is constant. */
  readonly streams: number;
  readonly connections: number;
  /** Checks a second, due at equal distances; null for as many as are answered. */
  readonly perSecond: number | null;
  readonly rounds: number;
  /** Nothing where each key is asked for once: a turn is then a part of them. */
  readonly seconds: number;
  /** What else Postern does meanwhile; the others do nothing else. */
  readonly during: PosternWork | null;
  /** Whether a turn begins a second before a window of ten seconds does. */
  readonly atWindow: boolean;
  /** Whether it begins as soon as the servers answer: Postern may still be reading its keys into memory. */
  readonly isFromStart: boolean;
  /** Who asks: the benchmark's own load generator, or ghz, which has all cores as the servers have. */
  readonly client: 'own' | 'ghz';
}

/** A hit at its simplest: what scenarios are changes of. */
export const plainScenario: Scenario = {
  ...{ kind: 'hit', order: 'even', crowd: false, streams: 64, connections: 4, perSecond: null },
  ...{ rounds: 3, seconds: 2, during: null, atWindow: false },
  ...{ isFromStart: false, client: 'own' },
};

/** One server of a group. */
export interface Member {
  readonly peer: PeerName;
  /** As it is shown; a variant of Postern has one of its own. */
  readonly name: string;
  /** Whether each of its keys has a plan. */
  readonly hasPlan: boolean;
  /** Processors that it may use; of Postern, processes for Checks. */
  readonly processors: number;
}

export function memberOf(peer: PeerName, changes: Partial<Member> = {}): Member {
  return { peer, name: peer, hasPlan: false, processors: 1, ...changes };
}

/** Which keys a Postern has besides the active ones, and what its settings say of them. */
export type Seeding = 'usual' | 'plans' | 'storm' | 'leaving';

/** Scenarios on peers that are started once. */
export interface Group {
  /** The section that its rows stand in. */
  readonly title: string;
  /** Whether callers' requests go through an Envoy, or Checks to the peers straight. */
  readonly throughEnvoy: boolean;
  readonly keys: number;
  readonly store: 'sqlite' | 'mongodb';
  readonly seeding: Seeding;
  readonly members: readonly Member[];
  /** Servers on one core and the client on another; else all of them on all cores. */
  readonly isPinned: boolean;
  readonly scenarios: readonly Scenario[];
}

/** Seconds of load before the first round of a scenario. */
const warmupSeconds = { first: 3, later: 0.5 };
/**
 * The same of an open load, and with what else Postern does, whose tail is looked at: compilers that run beside the first
 * load took 4 % of the core for ten seconds and 1 % for ten more, some milliseconds at a time.
 */
const tailWarmupSeconds = { first: 20, busy: 10 };

/** How long a peer is loaded before the first round of a scenario. */
export function warmupOf({ perSecond, during }: Scenario, isFirst: boolean): number {
  if (during !== null) return tailWarmupSeconds.busy;
  if (!isFirst) return warmupSeconds.later;
  return perSecond === null ? warmupSeconds.first : tailWarmupSeconds.first;
}

/** More than Postern's usage_flush_interval and a half: what is known of the use of keys is written by then. */
const flushedSeconds = 9;
/** Kinds of Checks that are no use of any key. */
const unused: readonly Kind[] = ['miss', 'malformed', 'missing', 'ambiguous'];

/**
 * How long a scenario is left alone after its last turn, so that what that left to be done is counted. Of an open load
 * the tail is looked at, and behind an Envoy the way through it: what is left there is done in the next turn.
 */
export function restSeconds({ kind, perSecond, client }: Scenario, throughEnvoy: boolean): number {
  const isLookedAt = perSecond === null && client === 'own' && !throughEnvoy;
  return isLookedAt && !unused.includes(kind) ? flushedSeconds : 0;
}

/** For each peer: made, put into a store and asked for once. */
const secondsPerKey = 0.00006;
const seedFactor: Readonly<Record<Seeding, number>> = { usual: 1, plans: 2, storm: 6, leaving: 2 };
const startSeconds = 10;
const betweenTurnsSeconds = 0.4;
/** A turn that asks for a third of a hundred thousand keys. */
const onceSeconds = 1;
/** Half the distance between two windows, and the turn. */
const windowSeconds = 9;

/** About how long a run of these takes, in seconds. */
export function estimateSeconds(groups: readonly Group[]): number {
  return groups.reduce((sum, group) => sum + groupSeconds(group), 0);
}

function groupSeconds({ throughEnvoy, keys, members, scenarios, seeding }: Group): number {
  const peers = members.length + (throughEnvoy ? 2 : 0);
  const sum = (value: (scenario: Scenario) => number) =>
    scenarios.reduce((before, scenario) => before + value(scenario), 0);
  const warm = sum((scenario) => warmupOf(scenario, scenario === scenarios[0]));
  const measured = sum((scenario) => scenario.rounds * (turnSeconds(scenario) + betweenTurnsSeconds));
  const rests = sum((scenario) => restSeconds(scenario, throughEnvoy));
  const seeded = keys * secondsPerKey * (peers - 1 + seedFactor[seeding]);
  return startSeconds + rests + seeded + peers * (warm + measured);
}

function turnSeconds({ order, atWindow, seconds }: Scenario): number {
  if (isListed(order)) return onceSeconds;
  return atWindow ? windowSeconds : seconds;
}

/** As in `hit, 64 streams on 4 connections`. */
export function scenarioName(scenario: Scenario): string {
  const { kind, order, crowd, streams, connections, perSecond, during, client } = scenario;
  const { atWindow, isFromStart } = scenario;
  const plural = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;
  const load = perSecond === null ? plural(streams, 'stream') : `${perSecond} a second`;
  const more = [
    order === 'zipf' && "by Zipf's law",
    order === 'once' && 'each key for the first time',
    order === 'again' && 'each key once more',
    crowd && 'from 50,000 addresses',
    isFromStart && 'from the start',
    atWindow && 'as windows begin',
    during !== null && `while ${during}`,
    client === 'ghz' && 'by ghz',
    // Of a row that was saved by an earlier version a part may be missing.
  ].filter((part) => typeof part === 'string');
  const asked = kind === 'window' ? 'hit' : kind;
  return [`${asked}, ${load} on ${plural(connections, 'connection')}`, ...more].join(', ');
}
