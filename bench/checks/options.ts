import { parseArgs } from 'node:util';
import { isListed, orders } from '../client/order.ts';
import { kinds } from '../common/kinds.ts';
import { type PeerName, peerNames } from '../peers/peer.ts';
import { type PosternWork, posternWorks } from './alongside.ts';
import { estimateMinutesLeast, type MatrixOptions, matrix, sections } from './matrix.ts';
import { type Group, memberOf, plainScenario, type Scenario } from './scenario.ts';

/** By the first word that tells each from the others. */
const works: Readonly<Record<string, PosternWork>> = {
  reload: posternWorks[0],
  import: posternWorks[1],
  metrics: posternWorks[2],
  journal: posternWorks[3],
  console: posternWorks[4],
  revoke: posternWorks[5],
  'revoke-many': posternWorks[6],
  lapse: posternWorks[7],
};

export interface Options {
  /** A selection of all; null for the one scenario. */
  readonly matrix: {
    readonly minutes: number;
    readonly isQuick: boolean;
    readonly section: string | null;
  } | null;
  readonly single: Pick<Group, 'throughEnvoy' | 'keys' | 'store' | 'seeding'> & {
    readonly scenario: Scenario;
    readonly hasPlans: boolean;
    readonly processes: number;
  };
  readonly peers: readonly PeerName[];
  readonly seed: number;
  /** Headers as Envoy sends them with `encode_raw_headers`. */
  readonly raw: boolean;
  /** Servers on one core and client on another; else the scheduler places them. */
  readonly pin: boolean;
  /** An opa-envoy-plugin. */
  readonly opa: string | null;
  /** A ghz; null for one that is found. */
  readonly ghz: string | null;
  /** Whether memory for each key is measured too. */
  readonly memory: boolean;
  /** Written to `bench/results/`, not to `.cache/bench/results/`. */
  readonly save: boolean;
}

export const usage = `usage: npm run bench -- [options]
  --kind KIND        ${kinds.slice(0, 7).join(', ')},
                     ${kinds.slice(7).join(', ')} (hit)
  --order ORDER      of the keys: even, zipf, once, again (even)
  --crowd            from 50 000 addresses
  --streams N        Checks in the air at any time (64)
  --connections N    HTTP/2 connections that they share (4)
  --rate N           Checks a second at equal distances, whatever the answers (as many as are answered)
  --keys N           keys in the service, and keys that are presented (100000)
  --rounds N         measured turns of each peer (5)
  --seconds N        length of a turn (5)
  --during WORK      what Postern does meanwhile: ${Object.keys(works).join(', ')}
  --plans            beside Postern, one with a plan on each key
  --processes N      processes of Postern for Checks, threads of the others; all on all cores (1)
  --store STORE      of Postern: sqlite, mongodb (sqlite)
  --client CLIENT    own, ghz (own)
  --matrix           a selection of all these, in place of the options above
  --section NAME     that section of the selection alone: ${sections.join(', ')}
  --minutes N        about how long the selection may take (as short as it can be)
  --quick            one short turn of each row of it, and fewer keys: whether all of it runs, no figures to believe
  --through-envoy    requests through an Envoy in front of each peer, and of nobody, and of its own filter
  --peers LIST       of ${peerNames.join(', ')}, in the order in which they take turns (all that there are)
  --opa PATH         an opa-envoy-plugin (the environment's OPA_ENVOY)
  --envoy PATH       an Envoy (as the tests find one)
  --ghz PATH         a ghz (on the PATH, or .cache/bench/ghz)
  --seed N           what keys and their order are made from (1)
  --raw              headers in header_map, as with encode_raw_headers, not in the headers map
  --no-memory        leave out memory for each key
  --no-pin           let the scheduler place client and servers
  --save             write table, plot and rounds to bench/results/ (.cache/bench/results/)`;

/** An option that is not as it should be; the message says which and how. */
export class WrongOption extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'WrongOption';
  }
}

/** Throws {@link WrongOption}. */
export function readOptions(argv: readonly string[], environment: NodeJS.ProcessEnv): Options {
  const values = parse(argv);
  const peers = values.peers?.split(',') ?? peerNames;
  if (!peers.every(isPeerName)) throw new WrongOption(`--peers are of ${peerNames.join(', ')}`);
  if (values.envoy !== undefined) environment.POSTERN_TEST_ENVOY = values.envoy;
  return {
    matrix: values.matrix ? readMatrix(values, peers) : null,
    single: {
      throughEnvoy: values['through-envoy'],
      keys: wholeNumber('keys', values.keys),
      store: oneOf('store', ['sqlite', 'mongodb'], values.store),
      seeding: seedingOf(values),
      scenario: readScenario(values),
      hasPlans: values.plans,
      processes: wholeNumber('processes', values.processes),
    },
    peers,
    seed: wholeNumber('seed', values.seed),
    raw: values.raw,
    pin: values.pin,
    opa: values.opa ?? environment.OPA_ENVOY ?? null,
    ghz: values.ghz ?? null,
    memory: values.memory,
    save: values.save,
  };
}

/** What is measured, with what there is here. */
export function groupsOf(options: Options, has: MatrixOptions['has']): Group[] {
  const { matrix: wanted, single, peers } = options;
  if (wanted !== null) {
    const all = matrix({ ...wanted, peers, has });
    return all.filter(({ title }) => wanted.section === null || wanted.section === title);
  }
  const { throughEnvoy, keys, store, seeding, scenario, hasPlans, processes } = single;
  const members = peers.flatMap((peer) => {
    const member = memberOf(peer, { processors: processes });
    const planned = hasPlans && peer === 'postern';
    return planned ? [member, { ...member, name: 'postern, plans', hasPlan: true }] : [member];
  });
  const isPinned = processes === 1 && scenario.client === 'own';
  return [{ title: 'Checks', throughEnvoy, keys, store, seeding, members, isPinned, scenarios: [scenario] }];
}

type Values = ReturnType<typeof parse>;

function readMatrix({ minutes, quick, section }: Values, peers: readonly PeerName[]): Options['matrix'] {
  const least = estimateMinutesLeast(peers);
  const number = minutes === undefined ? least : wholeNumber('minutes', minutes);
  if (section !== undefined) oneOf('section', sections, section);
  if (!quick && section === undefined && number < least)
    throw new WrongOption(`--minutes is ${least} or more`);
  return { minutes: number, isQuick: quick, section: section ?? null };
}

function readScenario(values: Values): Scenario {
  const kind = oneOf('kind', kinds, values.kind);
  return {
    ...plainScenario,
    kind,
    order: oneOf('order', orders, values.order),
    crowd: values.crowd,
    streams: wholeNumber('streams', values.streams),
    connections: wholeNumber('connections', values.connections),
    perSecond: values.rate === undefined ? null : wholeNumber('rate', values.rate),
    rounds: wholeNumber('rounds', values.rounds),
    seconds: wholeNumber('seconds', values.seconds),
    during: values.during === undefined ? null : workOf(values.during),
    atWindow: kind === 'window',
    client: oneOf('client', ['own', 'ghz'], values.client),
  };
}

/** What the service has to have for it. */
function seedingOf({ kind, order, plans, crowd, during }: Values): Group['seeding'] {
  if (plans || kind === 'window') return 'plans';
  if (during?.startsWith('revoke')) return 'leaving';
  const needsMore = ['disabled', 'expired', 'owner', 'address', 'limit'].includes(kind);
  return needsMore || isListed(oneOf('order', orders, order)) || crowd ? 'storm' : 'usual';
}

function workOf(name: string): PosternWork {
  const work = works[name];
  if (work === undefined) throw new WrongOption(`--during is one of ${Object.keys(works).join(', ')}`);
  return work;
}

function parse(argv: readonly string[]) {
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const flag = { type: 'boolean', default: false } as const;
  const optional = { type: 'string' } as const;
  try {
    return parseArgs({
      args: [...argv],
      allowNegative: true,
      options: {
        ...{
          kind: text('hit'),
          order: text('even'),
          crowd: flag,
          streams: text('64'),
          connections: text('4'),
        },
        ...{ rate: optional, keys: text('100000'), rounds: text('5'), seconds: text('5'), during: optional },
        ...{ plans: flag, processes: text('1'), store: text('sqlite'), client: text('own'), matrix: flag },
        ...{ section: optional, minutes: optional, quick: flag, 'through-envoy': flag, peers: optional },
        ...{ opa: optional, envoy: optional, ghz: optional, seed: text('1'), raw: flag, save: flag },
        memory: { type: 'boolean', default: true },
        pin: { type: 'boolean', default: true },
      },
    }).values;
  } catch (error) {
    throw new WrongOption((error as Error).message);
  }
}

function oneOf<Value extends string>(name: string, values: readonly Value[], text: string): Value {
  const found = values.find((value) => value === text);
  if (found === undefined) throw new WrongOption(`--${name} is one of ${values.join(', ')}`);
  return found;
}

function isPeerName(text: string): text is PeerName {
  return peerNames.some((name) => name === text);
}

/** A whole number from 1 on; throws {@link WrongOption}. */
export function wholeNumber(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) {
    throw new WrongOption(`--${name} is a whole number, 1 or more`);
  }
  return number;
}
