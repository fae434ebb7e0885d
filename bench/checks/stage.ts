import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freshDatabase, type Mongo, startReplicaSet } from '../../test/real/mongod.ts';
import { requireSameAnswers } from '../client/alike.ts';
import { findGhz } from '../client/ghz.ts';
import { createRequests } from '../client/requests.ts';
import { type AdminCall, createAdminCalls } from '../common/admin-calls.ts';
import { benchKeys, keySet, presentedKeys } from '../common/keys.ts';
import { requestVariant } from '../common/kinds.ts';
import { allowedCores, pin } from '../common/processor-time.ts';
import { type Authority, startEdge } from '../peers/envoy.ts';
import { goVersion, startGo } from '../peers/go.ts';
import { opaKeysMax, startOpa } from '../peers/opa.ts';
import type { Peer, PeerName } from '../peers/peer.ts';
import { startPostern } from '../peers/postern.ts';
import { buildRust, isRustPeer, rustVersion, startRust } from '../peers/rust.ts';
import type { Options } from './options.ts';
import type { Group, Member } from './scenario.ts';
import { lapsedOwner, seedKeysOf, settingsOf } from './seeding.ts';

/** Where the peers that are built here are kept. */
export const cacheFolder = fileURLToPath(new URL('../../.cache/bench', import.meta.url));
const goHint = 'from https://go.dev/dl, or your system has a package';
const rustHint = 'from https://rustup.rs';
const ghzHint = 'GOBIN=$PWD/.cache/bench go install github.com/bojand/ghz/cmd/ghz@v0.120.0';

/** Which peers there are, and how they are started and placed. */
export interface Stage {
  /** Those that were asked for and are there. */
  readonly names: readonly PeerName[];
  /** Why a peer that was asked for takes no part, a sentence each. */
  readonly absent: readonly string[];
  /** The ghz that asks; null where there is none. */
  readonly ghz: string | null;
  /** Starts the group's members that can hold that many keys, one after another, on the servers' core. */
  start(group: Group): Promise<Peer[]>;
  /** As in `server and client on a core each`. */
  readonly placing: string;
  /** Ends what all groups share. */
  stop(): Promise<void>;
}

/** @param clientPid is put on the client's core */
export function createStage(options: Options, scratch: string, clientPid: number): Stage {
  const { names, absent } = present(options);
  const ghz = findGhz(options.ghz, cacheFolder);
  if (ghz === null && options.matrix !== null)
    absent.push(`ghz is not there, so nothing is asked by it: ${ghzHint}`);
  const { serverCore, clientCore, placing } = place(options);
  let starts = 0;
  let mongo: Mongo | null = null;

  const startOne = async (member: Member, group: Group): Promise<Peer> => {
    const { peer, name, processors } = member;
    const folder = join(scratch, `${peer}-${starts++}`);
    mkdirSync(folder);
    const keys = [
      ...benchKeys(group.keys, options.seed),
      ...(group.seeding === 'plans' ? keySet('window', group.keys, options.seed) : []),
    ];
    if (peer === 'go') return startGo(cacheFolder, folder, { keys, processors });
    if (isRustPeer(peer))
      return startRust(peer, { cache: cacheFolder, scratch: folder }, { keys, processors });
    if (peer === 'opa') return startOpa(options.opa ?? '', folder, keys);
    const postern = await startPostern(folder, {
      ...{ name, processes: processors, settings: settingsOf(group) },
      mongo: group.store === 'mongodb' ? freshDatabase(await mongoUri()).uri : null,
      keys: seedKeysOf(group, member, options.seed),
    });
    if (group.seeding === 'storm') await suspendLapsed(postern);
    return postern;
  };

  /** On the client's core, and in its session: what it does is in nobody's figures, and it is given its part of the core. */
  async function mongoUri(): Promise<string> {
    if (mongo === null) {
      mongo = await startReplicaSet({ own: true, onDisk: true, inSession: true });
      for (const { pid } of mongo.members) if (clientCore !== null) pin(pid(), clientCore);
    }
    return mongo.uri;
  }

  return {
    ...{ names, absent, ghz, placing },
    async start(group) {
      const { members, keys, throughEnvoy, isPinned } = group;
      const peers: Peer[] = [];
      // What is started is where whoever starts it is.
      if (clientCore !== null) pin(process.pid, 'all');
      const startEdgeOf = async (authority: Authority) =>
        peers.push(await startEdge(scratch, authority, options.raw));
      try {
        if (throughEnvoy) {
          await startEdgeOf({ kind: 'nobody' });
          await startEdgeOf({ kind: 'api_key_auth', keys: benchKeys(keys, options.seed) });
        }
        for (const member of members) {
          if (!names.includes(member.peer) || (member.peer === 'opa' && keys > opaKeysMax)) continue;
          const peer = await startOne(member, group);
          if (throughEnvoy) await startEdgeOf({ kind: 'service', peer });
          else peers.push(peer);
        }
        if (!throughEnvoy) await compare(peers, options);
      } catch (error) {
        await Promise.all(peers.map((peer) => peer.stop()));
        throw error;
      }
      // This process, too: it keeps services busy, and their core is not for that.
      if (clientCore !== null)
        for (const pid of [clientPid, process.pid]) pin(pid, isPinned ? clientCore : 'all');
      for (const pid of peers.flatMap((peer) => [peer.pid, peer.proxyPid ?? []].flat())) {
        if (serverCore !== null && isPinned) pin(pid, serverCore);
      }
      return peers;
    },
    async stop() {
      await mongo?.stop();
    },
  };
}

/** Those that know nothing but digests answer the same bytes. */
async function compare(peers: readonly Peer[], { seed, raw }: Options): Promise<void> {
  const bare = peers.filter(({ name }) => name === 'go' || isRustPeer(name));
  const requests = (['hit', 'miss', 'missing'] as const).map((kind) => {
    const variant = requestVariant(kind, false);
    const made = createRequests(presentedKeys(kind, { count: 1, seed, once: false }), { raw, variant });
    const message = Buffer.alloc(made.bytesMax);
    return message.subarray(5, made.write(0, message, 0));
  });
  await requireSameAnswers(bare, requests);
}

async function suspendLapsed({ service }: Peer): Promise<void> {
  if (service === null) return;
  const { call, close }: { call: AdminCall; close(): void } = createAdminCalls(service.url, service.adminKey);
  const { status } = await call('PUT', `/admin/owners/${lapsedOwner}`, { suspended: true }).finally(close);
  if (status !== 200) throw new Error(`an owner could not be suspended: ${status}`);
}

function present({ peers, opa }: Options): { names: PeerName[]; absent: string[] } {
  const absent: string[] = [];
  const noRust = peers.some(isRustPeer) ? whyNoRust() : null;
  if (noRust !== null) absent.push(noRust);
  const names = peers.filter((name) => {
    if (name === 'go' && goVersion() === null) {
      absent.push(`Go is not installed, so there is no Go peer and no ratio to it: it comes ${goHint}.`);
      return false;
    }
    if (name === 'opa' && opa === null) {
      absent.push('OPA-Envoy takes no part: name an opa-envoy-plugin with --opa or OPA_ENVOY.');
      return false;
    }
    return noRust === null || !isRustPeer(name);
  });
  return { names, absent };
}

/** Builds the Rust peers where that can be done; the first time takes minutes. */
function whyNoRust(): string | null {
  if (rustVersion() === null) {
    return `Rust is not installed, so tonic and pajamax take no part: it comes ${rustHint}.`;
  }
  const failed = buildRust(cacheFolder);
  return failed === null ? null : `tonic and pajamax take no part, since they cannot be built:\n${failed}`;
}

interface Placing {
  readonly serverCore: number | null;
  readonly clientCore: number | null;
  readonly placing: string;
}

/** Gives the servers one core and the client another, where there are two. */
function place({ pin: isPinned }: Options): Placing {
  const [serverCore, clientCore] = allowedCores();
  const none = { serverCore: null, clientCore: null };
  if (!isPinned || serverCore === undefined || clientCore === undefined) {
    return { ...none, placing: 'placed by the scheduler' };
  }
  return pin(process.pid, 'all')
    ? { serverCore, clientCore, placing: 'servers on one core, client on another' }
    : { ...none, placing: 'placed by the scheduler (no taskset)' };
}
