import { parseArgs } from 'node:util';
import { type Kind, kinds } from './keys.ts';
import { estimateSeconds, type Group, matrix } from './scenario.ts';

export const peerNames = ['postern', 'go', 'opa'] as const;
export type PeerName = (typeof peerNames)[number];

export interface Options {
  readonly groups: readonly Group[];
  readonly peers: readonly PeerName[];
  readonly seed: number;
  /** Headers as Envoy sends them with `encode_raw_headers`. */
  readonly raw: boolean;
  /** Servers on one core and client on another; else the scheduler places them. */
  readonly pin: boolean;
  /** An opa-envoy-plugin. */
  readonly opa: string | null;
  /** Whether memory for each key is measured too. */
  readonly memory: boolean;
  /** Written to `bench/results/`, not to `.cache/bench/results/`. */
  readonly save: boolean;
}

export const usage = `usage: npm run bench -- [options]
  --kind KIND        hit, miss, revoked, permission or malformed (hit)
  --streams N        Checks in the air at any time (64)
  --connections N    HTTP/2 connections that they share (4)
  --rate N           Checks a second at equal distances, whatever the answers (as many as are answered)
  --keys N           keys in the service, and keys that are presented (100000)
  --rounds N         measured turns of each peer (5)
  --seconds N        length of a turn (5)
  --matrix           a selection of all these, in place of the options above
  --minutes N        about how long the selection may take (25)
  --through-envoy    requests through an Envoy in front of each peer, and of nobody, and of its own filter
  --peers LIST       of postern, go, opa, in the order in which they take turns (all that there are)
  --opa PATH         an opa-envoy-plugin (the environment's OPA_ENVOY)
  --envoy PATH       an Envoy (as the tests find one)
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
  if (!isKind(values.kind)) throw new WrongOption(`--kind is one of ${kinds.join(', ')}`);
  if (values.envoy !== undefined) environment.POSTERN_TEST_ENVOY = values.envoy;
  const scenario = {
    kind: values.kind,
    streams: wholeNumber('streams', values.streams),
    connections: wholeNumber('connections', values.connections),
    perSecond: values.rate === undefined ? null : wholeNumber('rate', values.rate),
    rounds: wholeNumber('rounds', values.rounds),
    seconds: wholeNumber('seconds', values.seconds),
  };
  const keys = wholeNumber('keys', values.keys);
  const single = { throughEnvoy: values['through-envoy'], keys, scenarios: [scenario] };
  return {
    groups: values.matrix ? selection(wholeNumber('minutes', values.minutes)) : [single],
    peers,
    seed: wholeNumber('seed', values.seed),
    raw: values.raw,
    pin: values.pin,
    opa: values.opa ?? environment.OPA_ENVOY ?? null,
    memory: values.memory,
    save: values.save,
  };
}

function selection(minutes: number): readonly Group[] {
  const least = Math.ceil(estimateSeconds(matrix(1, true)) / 60);
  if (minutes < least) throw new WrongOption(`--minutes is ${least} or more`);
  return matrix(minutes, true);
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowNegative: true,
      options: {
        kind: { type: 'string', default: 'hit' },
        streams: { type: 'string', default: '64' },
        connections: { type: 'string', default: '4' },
        rate: { type: 'string' },
        keys: { type: 'string', default: '100000' },
        rounds: { type: 'string', default: '5' },
        seconds: { type: 'string', default: '5' },
        matrix: { type: 'boolean', default: false },
        minutes: { type: 'string', default: '25' },
        'through-envoy': { type: 'boolean', default: false },
        peers: { type: 'string' },
        opa: { type: 'string' },
        envoy: { type: 'string' },
        seed: { type: 'string', default: '1' },
        raw: { type: 'boolean', default: false },
        memory: { type: 'boolean', default: true },
        pin: { type: 'boolean', default: true },
        save: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new WrongOption((error as Error).message);
  }
}

function isKind(text: string): text is Kind {
  return kinds.some((kind) => kind === text);
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
