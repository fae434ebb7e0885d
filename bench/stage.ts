import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { benchKeys, revokedKeys } from './keys.ts';
import type { Options, PeerName } from './options.ts';
import { type Authority, startEdge } from './peers/envoy.ts';
import { goVersion, startGo } from './peers/go.ts';
import { opaKeysMax, startOpa } from './peers/opa.ts';
import type { Peer } from './peers/peer.ts';
import { startPostern } from './peers/postern.ts';
import { allowedCores, pin } from './processor-time.ts';

const cache = fileURLToPath(new URL('../.cache/bench', import.meta.url));
const goHint = 'from https://go.dev/dl, or your system has a package';

/** Which peers there are, and how they are started and placed. */
export interface Stage {
  /** Why a peer that was asked for takes no part, a sentence each. */
  readonly absent: readonly string[];
  /** Starts the peers that can hold that many keys, one after another, on the servers' core. */
  start(keys: number, throughEnvoy: boolean): Promise<Peer[]>;
  /** As in `server and client on a core each`. */
  readonly placing: string;
}

/** @param clientPid is put on the client's core */
export function createStage(options: Options, scratch: string, clientPid: number): Stage {
  const { names, absent } = present(options);
  const { serverCore, placing } = place(options, clientPid);
  let starts = 0;

  const startOne = async (name: PeerName, keys: number): Promise<Peer> => {
    const folder = join(scratch, `${name}-${starts++}`);
    mkdirSync(folder);
    const active = benchKeys(keys, options.seed);
    if (name === 'go') return startGo(cache, folder, active);
    if (name === 'opa') return startOpa(options.opa ?? '', folder, active);
    return startPostern(folder, { active, revoked: revokedKeys(keys, options.seed) });
  };

  return {
    absent,
    placing,
    async start(keys, throughEnvoy) {
      const peers: Peer[] = [];
      const startEdgeOf = async (authority: Authority) =>
        peers.push(await startEdge(scratch, authority, options.raw));
      try {
        if (throughEnvoy) {
          await startEdgeOf({ kind: 'nobody' });
          await startEdgeOf({ kind: 'api_key_auth', keys: benchKeys(keys, options.seed) });
        }
        for (const name of names) {
          if (name === 'opa' && keys > opaKeysMax) continue;
          const peer = await startOne(name, keys);
          if (throughEnvoy) await startEdgeOf({ kind: 'service', peer });
          else peers.push(peer);
        }
      } catch (error) {
        await Promise.all(peers.map((peer) => peer.stop()));
        throw error;
      }
      for (const pid of peers.flatMap((peer) => [peer.pid, peer.proxyPid ?? []].flat())) {
        if (serverCore !== null) pin(pid, serverCore);
      }
      return peers;
    },
  };
}

function present({ peers, opa }: Options): { names: PeerName[]; absent: string[] } {
  const absent: string[] = [];
  const names = peers.filter((name) => {
    if (name === 'go' && goVersion() === null) {
      absent.push(`Go is not installed, so there is no Go peer and no ratio to it: it comes ${goHint}.`);
      return false;
    }
    if (name === 'opa' && opa === null) {
      absent.push('OPA-Envoy takes no part: name an opa-envoy-plugin with --opa or OPA_ENVOY.');
      return false;
    }
    return true;
  });
  return { names, absent };
}

/** Gives the servers one core and the client another, where there are two. */
function place(
  { pin: isPinned }: Options,
  clientPid: number,
): { serverCore: number | null; placing: string } {
  const [serverCore, clientCore] = allowedCores();
  if (!isPinned || serverCore === undefined || clientCore === undefined) {
    return { serverCore: null, placing: 'placed by the scheduler' };
  }
  return pin(clientPid, clientCore)
    ? { serverCore, placing: 'servers on one core, client on another' }
    : { serverCore: null, placing: 'placed by the scheduler (no taskset)' };
}
