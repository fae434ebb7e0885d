import type { Kind } from '../common/kinds.ts';
import type { PeerName } from '../peers/peer.ts';
import { posternWorks } from './alongside.ts';
import {
  estimateSeconds,
  type Group,
  type Member,
  memberOf,
  plainScenario,
  type Scenario,
} from './scenario.ts';

/** What a selection is made for. */
export interface MatrixOptions {
  /** About how long it may take. */
  readonly minutes: number;
  readonly peers: readonly PeerName[];
  /** Whether there is an Envoy, a ghz, a MongoDB. */
  readonly has: { readonly envoy: boolean; readonly ghz: boolean; readonly mongo: boolean };
  /** One short turn of each row, and fewer keys: shows that all of it runs, and no figure to believe. */
  readonly isQuick: boolean;
}

const secondsBounds = { min: 1, max: 8 };
const sizes = { small: 1_000, usual: 100_000, large: 1_000_000 };
/** Of an open load: half of what the slowest server takes or less. */
const perSecond = 8_000;
/** Checks that may be in the air there: a stall is seen by all that were due in it. */
const openStreams = 512;
/** So long a turn lasts there at least: of 24 000 Checks 24 are slower than p99.9. */
const tailSeconds = 3;

const storms: readonly Kind[] = [
  ...(['missing', 'ambiguous', 'malformed', 'miss', 'environment', 'revoked', 'disabled'] as const),
  ...(['expired', 'owner', 'address', 'permission', 'limit'] as const),
];

/** In the order in which they are measured. */
export const sections = [
  ...['Checks', 'Tails', 'A plan on each key', 'Storms', 'All cores', 'Through Envoy'],
] as const;

/** The fewest minutes that it takes where all is there. */
export function estimateMinutesLeast(peers: readonly PeerName[]): number {
  const has = { envoy: true, ghz: true, mongo: true };
  return Math.ceil(
    estimateSeconds(selection({ minutes: 0, peers, has, isQuick: false }, secondsBounds.min, 3)) / 60,
  );
}

/**
 * All that the results show, with turns as long as `minutes` leave for them: each kind of answer, few and many streams
 * and connections; an open load at each size; what else Postern does meanwhile; plans; storms; all cores; an Envoy.
 */
export function matrix(options: MatrixOptions): Group[] {
  if (options.isQuick) return selection(options, secondsBounds.min, 1);
  let seconds = secondsBounds.max;
  while (
    seconds > secondsBounds.min &&
    estimateSeconds(selection(options, seconds, 3)) > options.minutes * 60
  )
    seconds -= 0.5;
  return selection(options, seconds, 3);
}

function selection(options: MatrixOptions, seconds: number, rounds: number): Group[] {
  const { isQuick, has } = options;
  const usualKeys = isQuick ? 10_000 : sizes.usual;
  const largeKeys = isQuick ? 20_000 : sizes.large;
  const rows = (...changes: readonly Partial<Scenario>[]) =>
    changes.map((change) => ({ ...plainScenario, rounds, seconds, ...change }));
  const group = (title: string, changes: Partial<Group>): Group => ({
    ...{ title, throughEnvoy: false, keys: usualKeys, store: 'sqlite', seeding: 'usual', isPinned: true },
    members: members(options.peers),
    scenarios: [],
    ...changes,
  });
  const open = { perSecond, streams: openStreams, seconds: Math.max(seconds, tailSeconds) };
  const few = { members: members(options.peers.filter((peer) => peer !== 'opa' && peer !== 'pajamax')) };
  const stormy = { seeding: 'storm', members: stormed(options.peers) } as const;
  const groups = [
    group('Checks', {
      scenarios: rows(
        ...([{}, { kind: 'miss' }, { kind: 'revoked' }, { kind: 'malformed' }] as const),
        ...[
          { streams: 1, connections: 1 },
          { streams: 512, connections: 32 },
        ],
      ),
    }),
    group('Checks', { keys: sizes.small, scenarios: rows({}, open) }),
    group('Checks', { ...few, keys: largeKeys, scenarios: rows({}, open) }),
    group('Tails', { scenarios: rows(open, { ...open, kind: 'malformed' }, { ...open, kind: 'revoked' }) }),
    group('Tails', {
      seeding: 'leaving',
      members: members(options.peers.filter((peer) => peer === 'postern' || peer === 'go')),
      scenarios: rows(...posternWorks.map((during) => ({ ...open, during }))),
    }),
    ...(['sqlite', 'mongodb'] as const)
      .filter((store) => store === 'sqlite' || has.mongo)
      .map((store) =>
        group('A plan on each key', {
          ...{ store, seeding: 'plans', members: planned(options.peers) },
          scenarios: rows({}, { order: 'zipf' }, open, {
            kind: 'window',
            atWindow: true,
            seconds: 3,
            rounds: Math.min(rounds, 2),
          }),
        }),
      ),
    group('Storms', { ...stormy, scenarios: rows({ order: 'once', isFromStart: true }) }),
    group('Storms', {
      ...stormy,
      scenarios: rows(
        { order: 'once' },
        { order: 'once', crowd: true },
        ...storms.map((kind): Partial<Scenario> => ({ kind, order: 'once' })),
        // What was read of the store the first time is in memory now.
        ...(['revoked', 'limit'] as const).map((kind): Partial<Scenario> => ({ kind, order: 'again' })),
      ),
    }),
    group('All cores', {
      members: onAllCores(options.peers),
      isPinned: false,
      scenarios: rows({}, ...ghzRows(has)),
    }),
    group('Through Envoy', {
      throughEnvoy: true,
      scenarios: rows({ streams: 1, connections: 1 }, {}),
      members: members(options.peers.filter((peer) => peer !== 'pajamax')),
    }),
  ];
  return groups.filter(({ throughEnvoy }) => has.envoy || !throughEnvoy);
}

function ghzRows({ ghz }: MatrixOptions['has']): Partial<Scenario>[] {
  return ghz ? [{ client: 'ghz' }] : [];
}

function members(peers: readonly PeerName[]): Member[] {
  return peers.map((peer) => memberOf(peer));
}

/** Postern without plans, and with one on each key, beside Go. */
function planned(peers: readonly PeerName[]): Member[] {
  return peers.flatMap((peer) => {
    if (peer === 'go') return [memberOf(peer)];
    return peer === 'postern'
      ? [memberOf(peer), memberOf(peer, { name: 'postern, plans', hasPlan: true })]
      : [];
  });
}

function stormed(peers: readonly PeerName[]): Member[] {
  return members(peers.filter((peer) => peer === 'postern' || peer === 'go'));
}

const allProcessors = 2;

function onAllCores(peers: readonly PeerName[]): Member[] {
  return peers.flatMap((peer) => {
    if (peer === 'opa') return [];
    const all = memberOf(peer, { processors: allProcessors });
    if (peer !== 'postern') return [all];
    return [memberOf(peer), { ...all, name: `postern, ${allProcessors} processes` }];
  });
}
