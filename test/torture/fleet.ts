import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Document, MongoClient } from 'mongodb';
import { freshDatabase, type Member, type Mongo, startStandalone } from '../real/mongod.ts';
import { type Postern, startPostern } from '../real/postern.ts';
import { until } from '../real/until.ts';
import { createNetwork, type Network } from './network.ts';

export interface FleetOptions {
  /** Service processes. Default 3. */
  readonly replicas?: number;
  /** Default 3. */
  readonly members?: number;
  readonly stalenessMaxMs: number;
  /** How long a primary may be silent before another is elected. Default 1 s. */
  readonly electionTimeoutMs?: number;
  /** The folder whose Postern is run; default this repository. */
  readonly root?: string;
  /** Of each service, that answer Checks. Default 1. */
  readonly processes?: number;
}

/** A mongod of the replica set, which everybody reaches through the network alone. */
export interface FleetMember extends Member {
  readonly name: string;
  /** To this member alone, past the network; of the database `admin` unless another is named. */
  command(body: Document, database?: string): Promise<Document>;
}

/** A service process, and those that come after it under the same name. */
export interface Replica {
  readonly name: string;
  /** Ended and not yet started again: null. */
  current(): Postern | null;
  /** The one that runs; throws where none does. */
  postern(): Postern;
  kill(): Promise<void>;
  start(): Promise<void>;
}

export interface Fleet {
  readonly network: Network;
  /** Where the services keep everything; '' where that is no MongoDB. */
  readonly database: string;
  readonly members: readonly FleetMember[];
  readonly replicas: readonly Replica[];
  /** What Checks are asked of, each on a connection of its own: one for each process that answers them. */
  readonly doors: readonly Replica[];
  /** Of each service. */
  readonly processes: number;
  /** The member that was elected last and takes writes; waits until there is one. Rejects where there are no members. */
  primary(): Promise<FleetMember>;
  /** Cuts a member off from all other members, which look for another to replicate from at once. */
  isolate(member: FleetMember): void;
  /** Cuts a service process off from these members, by default from all. */
  cutOff(replica: Replica, members?: readonly FleetMember[]): void;
  stop(): Promise<void>;
}

const set = 'rs';

/** A replica set behind a network that can be cut, and service processes on it. */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const network = createNetwork();
  const stops: (() => Promise<unknown>)[] = [async () => network.stop()];
  const stop = async () => {
    for (const each of stops.toReversed()) await each();
  };
  try {
    const mongods: Mongo[] = await Promise.all(
      Array.from({ length: options.members ?? 3 }, () =>
        startStandalone({ args: ['--replSet', set, '--setParameter', 'enableTestCommands=1'] }),
      ),
    );
    stops.push(() => Promise.all(mongods.map((mongod) => mongod.stop())));
    const members = mongods.map((mongod, index) => fleetMember(mongod, `member-${index}`));
    stops.push(() => Promise.all(members.map((member) => member.close())));
    const ports = await Promise.all(members.map(({ name, port }) => network.front(name, port)));
    await initiate(members, ports, options.electionTimeoutMs ?? 1_000);
    const hosts = ports.map((port) => `127.0.0.1:${port}`).join(',');
    const { name: database, uri } = freshDatabase(`mongodb://${hosts}/?replicaSet=${set}`);

    const scratch = await mkdtemp(join(tmpdir(), 'postern-fleet-'));
    stops.push(() => rm(scratch, { recursive: true, force: true }));
    const settings = join(scratch, 'postern.yaml');
    const processes = options.processes ?? 1;
    await writeFile(settings, settingsFile(options.stalenessMaxMs, processes));
    const start = await launcher(options.root);
    const replicas = Array.from({ length: options.replicas ?? 3 }, (_, index) => {
      const name = `replica-${'abcdefgh'[index]}`;
      return createReplica(name, () =>
        start({
          POSTERN_CONFIG: settings,
          POSTERN_STORE: `${uri}&appName=${name}`,
          POSTERN_REPLICA_ID: name,
          POSTERN_PROCESSES: String(processes),
        }),
      );
    });
    stops.push(() => Promise.all(replicas.map((replica) => replica.kill())));
    await primaryOf(members);
    await Promise.all(replicas.map((replica) => replica.start()));
    return {
      ...{ network, database, members, replicas, doors: doorsOf(replicas, processes), processes, stop },
      primary: () => primaryOf(members),
      isolate(member) {
        for (const other of members) if (other !== member) network.cut(member.name, other.name, 'reset');
      },
      cutOff(replica, from = members) {
        for (const member of from) network.cut(replica.name, member.name);
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** One service on a SQLite file, which outlives it. */
export async function startSqliteFleet({
  stalenessMaxMs,
  processes = 1,
  root,
}: Pick<FleetOptions, 'stalenessMaxMs' | 'processes' | 'root'>): Promise<Fleet> {
  const scratch = await mkdtemp(join(tmpdir(), 'postern-fleet-'));
  const settings = join(scratch, 'postern.yaml');
  await writeFile(settings, settingsFile(stalenessMaxMs, processes));
  const start = await launcher(root);
  const name = 'replica-a';
  const replica = createReplica(name, () =>
    start({
      ...{ POSTERN_CONFIG: settings, POSTERN_STORE: `sqlite:${join(scratch, 'postern.db')}` },
      ...{ POSTERN_REPLICA_ID: name, POSTERN_PROCESSES: String(processes) },
    }),
  );
  const replicas = [replica];
  const stop = async () => {
    await replica.kill();
    await rm(scratch, { recursive: true, force: true });
  };
  const noMembers = () => new Error('a service on SQLite has no members');
  try {
    await replica.start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    ...{
      network: createNetwork(),
      database: '',
      members: [],
      replicas,
      doors: doorsOf(replicas, processes),
      processes,
      stop,
    },
    primary: () => Promise.reject(noMembers()),
    isolate() {
      throw noMembers();
    },
    cutOff() {
      throw noMembers();
    },
  };
}

/** A service hands each connection to the process that has the fewest, so that as many reach all of them. */
function doorsOf(replicas: readonly Replica[], processes: number): Replica[] {
  if (processes === 1) return [...replicas];
  return replicas.flatMap((replica) =>
    Array.from({ length: processes }, (_, index) => ({ ...replica, name: `${replica.name}#${index + 1}` })),
  );
}

/** With the store away a limited key is denied, so that no fault lets more through than the limit. */
function settingsFile(stalenessMaxMs: number, processes: number): string {
  return [
    `staleness_max: ${stalenessMaxMs}ms`,
    'limits_when_unavailable: deny',
    'schemes: [postern]',
    // How long is waited is the default: what comes too late is judged by who reads the history.
    'settle_timeout: 1s',
    // After one of several has died, connections are dealt anew before long.
    `check: { store_timeout: 150ms${processes > 1 ? ', connection_age_max: 3s' : ''} }`,
    '',
  ].join('\n');
}

async function launcher(root: string | undefined): Promise<typeof startPostern> {
  if (root === undefined) return startPostern;
  const module = await import(pathToFileURL(join(root, 'test/real/postern.ts')).href);
  return module.startPostern as typeof startPostern;
}

function createReplica(name: string, start: () => Promise<Postern>): Replica {
  let current: Postern | null = null;
  return {
    name,
    current: () => current,
    postern() {
      if (current === null) throw new Error(`${name} does not run`);
      return current;
    },
    async kill() {
      const ended = current;
      current = null;
      await ended?.stop();
    },
    async start() {
      current = await start();
    },
  };
}

function fleetMember(mongod: Mongo, name: string): FleetMember & { close(): Promise<void> } {
  const [member] = mongod.members;
  if (member === undefined) throw new Error('no member was started');
  const client = new MongoClient(member.uri, { serverSelectionTimeoutMS: 1_000, socketTimeoutMS: 15_000 });
  return {
    ...member,
    name,
    command: (body, database = 'admin') => client.db(database).command(body),
    close: () => client.close(),
  };
}

async function initiate(
  members: readonly FleetMember[],
  ports: readonly number[],
  electionTimeoutMillis: number,
): Promise<void> {
  const [first] = members;
  await first?.command({
    replSetInitiate: {
      _id: set,
      members: ports.map((port, index) => ({ _id: index, host: `127.0.0.1:${port}` })),
      // A new primary would wait for members that it is cut off from before it takes writes.
      settings: { electionTimeoutMillis, heartbeatIntervalMillis: 200, catchUpTimeoutMillis: 200 },
    },
  });
  // Found at once, where an election would be waited for as long as the timeout is.
  await until('the first member is primary', async () => {
    const hello = await first?.command({ hello: 1 });
    if (hello?.isWritablePrimary) return true;
    await first?.command({ replSetStepUp: 1 }).catch(() => {});
    return undefined;
  });
  await until('the replica set is complete', async () => {
    const status = await first?.command({ replSetGetStatus: 1 });
    const states = ((status?.members ?? []) as { stateStr: string }[]).map(({ stateStr }) => stateStr);
    return states.every((state) => state === 'PRIMARY' || state === 'SECONDARY');
  });
}

/** Of two that say so, an old one that is cut off among them, the one that was elected last. */
async function primaryOf(members: readonly FleetMember[]): Promise<FleetMember> {
  return until('a member is primary', async () => {
    const hellos = await Promise.all(
      members.map(async (member) => {
        const late = Promise.withResolvers<null>();
        const timer = setTimeout(() => late.resolve(null), 500);
        const hello = await Promise.race([member.command({ hello: 1 }).catch(() => null), late.promise]);
        clearTimeout(timer);
        return { member, election: hello?.isWritablePrimary ? String(hello.electionId) : '' };
      }),
    );
    const [last] = hellos
      .filter(({ election }) => election !== '')
      .toSorted((one, other) => (one.election < other.election ? 1 : -1));
    return last?.member;
  });
}
