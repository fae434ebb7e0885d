import { parseArgs } from 'node:util';
import type { Kind } from './keys.ts';

export interface Options {
  readonly kind: Kind;
  readonly peers: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly streams: number;
  readonly connections: number;
  readonly keys: number;
  readonly seed: number;
  /** Headers as Envoy sends them with `encode_raw_headers`. */
  readonly raw: boolean;
  /** Server on one core and client on another; else the scheduler places them. */
  readonly pin: boolean;
  readonly json: string | null;
}

export const usage = `usage: npm run bench -- [options]
  --kind KIND        hit, miss or malformed (hit)
  --peers LIST       go,postern, in the order in which they take turns (both)
  --rounds N         measured turns of each peer (5)
  --seconds N        length of a turn (5)
  --warmup N         seconds of load on each peer before the first turn (3)
  --streams N        Checks in the air at any time (64)
  --connections N    HTTP/2 connections that they share (4)
  --keys N           keys in the service, and keys that are presented (100000)
  --seed N           what keys and their order are made from (1)
  --raw              headers in header_map, as with encode_raw_headers, not in the headers map
  --no-pin           let the scheduler place client and server
  --json FILE        write every round there too`;

const kinds: readonly string[] = ['hit', 'miss', 'malformed'];
const peerNames: readonly string[] = ['go', 'postern'];

/** Throws an Error that says what is wrong with `argv`. */
export function readOptions(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    allowNegative: true,
    options: {
      kind: { type: 'string', default: 'hit' },
      peers: { type: 'string', default: 'go,postern' },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '5' },
      warmup: { type: 'string', default: '3' },
      streams: { type: 'string', default: '64' },
      connections: { type: 'string', default: '4' },
      keys: { type: 'string', default: '100000' },
      seed: { type: 'string', default: '1' },
      raw: { type: 'boolean', default: false },
      pin: { type: 'boolean', default: true },
      json: { type: 'string' },
    },
  });
  if (!kinds.includes(values.kind)) throw new Error(`--kind is ${kinds.join(', ')}`);
  const peers = values.peers.split(',');
  if (peers.some((peer) => !peerNames.includes(peer))) throw new Error(`--peers are ${peerNames.join(', ')}`);
  return {
    kind: values.kind as Kind,
    peers,
    rounds: wholeNumber('rounds', values.rounds),
    seconds: wholeNumber('seconds', values.seconds),
    warmupSeconds: wholeNumber('warmup', values.warmup),
    streams: wholeNumber('streams', values.streams),
    connections: wholeNumber('connections', values.connections),
    keys: wholeNumber('keys', values.keys),
    seed: wholeNumber('seed', values.seed),
    raw: values.raw,
    pin: values.pin,
    json: values.json ?? null,
  };
}

function wholeNumber(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new Error(`--${name} is a whole number, 1 or more`);
  return number;
}
