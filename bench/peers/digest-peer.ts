import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { allowed } from '../client/answer.ts';
import { hexDigests } from '../common/keys.ts';
import { isAboutRequest } from '../common/kinds.ts';
import { freePort, type Peer, startChild, untilUp } from './peer.ts';

/** A server that knows digests of keys and nothing else. */
export interface DigestPeer {
  readonly name: string;
  /** Takes `-listen HOST:PORT -digests FILE`, and says `listening` when it does. */
  readonly binary: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts one with `keys`, its files in `scratch`. */
export async function startDigestPeer(
  { name, binary, args = [], env = {} }: DigestPeer,
  scratch: string,
  keys: readonly string[],
): Promise<Peer> {
  const digests = join(scratch, 'digests');
  writeFileSync(digests, hexDigests(keys));
  // A port that was free a moment ago may be taken by others.
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce({ name, binary, args, env }, scratch, digests);
    } catch (error) {
      if (attempt === attemptsMax) throw error;
    }
  }
}

const attemptsMax = 3;

async function startOnce(
  { name, binary, args, env }: Required<DigestPeer>,
  scratch: string,
  digests: string,
): Promise<Peer> {
  const port = await freePort();
  const child = startChild(binary, ['-listen', `127.0.0.1:${port}`, '-digests', digests, ...args], {
    env: { PATH: process.env.PATH, ...env },
    cwd: scratch,
    log: join(scratch, `${name}.log`),
  });
  await untilUp(child, async () => child.output().startsWith('listening'));
  return {
    name,
    port,
    pid: child.process.pid ?? 0,
    proxyPid: null,
    protocol: 'check',
    mention: 'x-postern-key-id',
    // It judges nothing but the key.
    presents: (kind) => (isAboutRequest(kind) ? 'miss' : kind),
    answer: (kind) => (kind === 'hit' || kind === 'window' ? allowed : 401),
    misses: async () => null,
    settled: async () => {},
    output: child.output,
    stop: child.stop,
    service: null,
  };
}
