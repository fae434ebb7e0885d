/** A fleet of real change feeds that loses half of its replicas without a word, and then its database for a while. */
import { randomBytes } from 'node:crypto';
import type { MongoClient } from 'mongodb';
import type { KeyRecord } from '../../src/keys/key.ts';
import type { Mongo } from '../../test/real/mongod.ts';
import { table } from '../report/markdown.ts';
import { type Child, pause, sampleKeys, startChild } from './run.ts';

interface Settled {
  readonly ms: number;
  readonly unconfirmed: number;
}

export interface Trouble {
  readonly replicas: number;
  /** Of revocations one after another, in each phase. */
  readonly phases: readonly { readonly name: string; readonly settled: readonly Settled[] }[];
  /** From when the database was there again until memory of all that are left may answer. */
  readonly freshAfterMs: number;
  /** The most connections that the server has had since it is there again. */
  readonly connections: number;
  /** Calls of all kinds in the first ten seconds, of one replica. */
  readonly callsOfOne: number;
}

const processReplicasMax = 25;
const perPhase = 10;
const outageMs = 20_000;
/** Longer than a replica that is gone may hold a lease. */
const lapseMs = 20_000;

export async function troubleFleet(client: MongoClient, mongo: Mongo, replicas: number): Promise<Trouble> {
  const name = `trouble_${randomBytes(4).toString('hex')}`;
  const url = new URL(mongo.uri);
  url.pathname = `/${name}`;
  const member = await mongo.primary();
  // Four processes at least, so that half of them is half of the fleet.
  const processReplicas = Math.min(processReplicasMax, Math.ceil(replicas / 4));
  const children = Array.from({ length: Math.ceil(replicas / processReplicas) }, startChild);
  const phases: { name: string; settled: Settled[] }[] = [];
  const checkout = new URL('../..', import.meta.url).pathname;
  try {
    const open = { do: 'open', uri: url.href, checkout, withinMs: replicas * 200 } as const;
    await Promise.all(
      children.map(({ ask }, at) =>
        ask({
          ...{ ...open, from: at * processReplicas },
          count: Math.min(processReplicas, replicas - at * processReplicas),
        }),
      ),
    );
    const keys = sampleKeys(4 * perPhase);
    const first = children[0] as Child;
    for (const key of keys) await first.ask({ do: 'insert', key });
    const revoke = async (phase: string) => {
      const settled: Settled[] = [];
      for (const key of keys.splice(0, perPhase)) settled.push(await revokeOne(first, key));
      phases.push({ name: phase, settled });
    };
    await revoke('all there');
    const gone = children.splice(Math.ceil(children.length / 2));
    for (const { child } of gone) child.kill('SIGKILL');
    await revoke('half of them just gone');
    await pause(lapseMs);
    await revoke('half of them gone for 20 s');
    await member.kill('SIGKILL');
    await pause(outageMs);
    await member.restart();
    const began = performance.now();
    const left = Math.min(replicas, children.length * processReplicas);
    const watch = watchServer(client);
    const freshAfterMs = await untilFresh(children, left, began);
    await pause(Math.max(0, 10_000 - (performance.now() - began)));
    const { connections, calls } = await watch.stop();
    await revoke('after an outage of 20 s');
    return { replicas, phases, freshAfterMs, connections, callsOfOne: calls / left };
  } finally {
    for (const { child } of children) child.kill('SIGKILL');
    await client.db(name).dropDatabase();
  }
}

async function revokeOne({ ask }: Child, key: KeyRecord): Promise<Settled> {
  const { ms, unconfirmed = [] } = await ask({ do: 'revoke', key });
  return { ms, unconfirmed: unconfirmed.length };
}

async function untilFresh(children: readonly Child[], count: number, began: number): Promise<number> {
  for (;;) {
    const fresh = await Promise.all(children.map(({ ask }) => ask({ do: 'fresh' })));
    const took = performance.now() - began;
    if (fresh.reduce((sum, { fresh: held = 0 }) => sum + held, 0) >= count || took > 120_000) return took;
    await pause(100);
  }
}

function watchServer(client: MongoClient) {
  let goesOn = true;
  let connections = 0;
  let calls = 0;
  const watching = (async () => {
    while (goesOn) {
      const status = await client
        .db('admin')
        .command({ serverStatus: 1 })
        .catch(() => null);
      connections = Math.max(connections, status?.connections.current ?? 0);
      if (status !== null) {
        // The server counts from its start.
        calls = Object.values(status.opcounters as Record<string, number>).reduce(
          (sum, one) => sum + Number(one),
          0,
        );
      }
      await pause(200);
    }
  })();
  return {
    async stop() {
      goesOn = false;
      await watching;
      return { connections, calls };
    },
  };
}

export function troubleTable({ replicas, phases, freshAfterMs, connections, callsOfOne }: Trouble): string {
  const rows = phases.map(({ name, settled }) => {
    const took = settled.map(({ ms }) => ms).sort((a, b) => a - b);
    return [
      name,
      `${took[Math.floor(took.length / 2)]?.toFixed(0)} ms`,
      `${took.at(-1)?.toFixed(0)} ms`,
      settled.filter(({ unconfirmed }) => unconfirmed > 0).length.toString(),
    ];
  });
  const shown = table(
    [`${replicas} real feeds`, 'RevokeKey p50', 'the slowest of 10', 'with somebody unconfirmed'],
    rows,
  );
  return `${shown}

After the outage memory of all that were left answered again ${(freshAfterMs / 1_000).toFixed(1)} s after the server took calls; it had
${connections} connections at most, and in the first ten seconds ${callsOfOne.toFixed(0)} calls of each replica.`;
}
