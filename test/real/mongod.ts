import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Document, MongoClient, type MongoClientOptions } from 'mongodb';
import { findMongod, type Program } from './binary.ts';
import { type Running, start } from './child.ts';
import { freePort } from './port.ts';
import { until } from './until.ts';

export interface Member {
  readonly port: number;
  /** Of this member alone. */
  readonly uri: string;
  /** Changes with `restart`. */
  pid(): number;
  log(): string;
  /** Sends a signal; for one that ends the process, returns when it is gone. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts it again, on the same port and data, after it was killed. */
  restart(): Promise<void>;
}

export interface Mongo {
  /** Without a database: see `freshDatabase`. */
  readonly uri: string;
  /** None when the address came from the environment. */
  readonly members: readonly Member[];
  /** The member that takes writes now; waits until there is one. */
  primary(): Promise<Member>;
  stop(): Promise<void>;
}

export interface ReplicaSetOptions {
  /** Default 1. */
  readonly members?: number;
  /** Never the one that POSTERN_TEST_MONGODB_URI names: for tests that kill members or need these arguments. */
  readonly own?: boolean;
  /** How long a primary may be silent before another is elected, about twice as long all in all. Default 2 s. */
  readonly electionTimeoutMs?: number;
  /** Whether its members are in the session of this process: see `StartOptions` of `child.ts`. */
  readonly inSession?: boolean;
  /** Whether its data is on a disk, though there is room in memory: for whoever measures what writes cost. */
  readonly onDisk?: boolean;
  /** More arguments for mongod, such as `--oplogSize 1` or `--setParameter enableTestCommands=1`. */
  readonly args?: readonly string[];
}

const SET = 'rs';
const ARGS = [
  ...['--bind_ip', '127.0.0.1', '--nounixsocket', '--wiredTigerCacheSizeGB', '0.25'],
  ...['--setParameter', 'ttlMonitorSleepSecs=1'],
  ...['--setParameter', 'diagnosticDataCollectionEnabled=false'],
  // On SIGTERM a primary would wait 15 s for someone to take over.
  ...['--setParameter', 'shutdownTimeoutMillisForSignaledShutdown=100'],
];

/** Starts a replica set and returns when it has a writable primary and every other member has caught up. */
export async function startReplicaSet(options: ReplicaSetOptions = {}): Promise<Mongo> {
  const given = process.env.POSTERN_TEST_MONGODB_URI;
  if (given && (options.members ?? 1) === 1 && !options.own) return existing(given);

  const args = ['--replSet', SET, ...(options.args ?? [])];
  const mongo = await startMembers(options.members ?? 1, args, options);
  try {
    await initiate(mongo.members, options.electionTimeoutMs ?? 2_000);
    await mongo.primary();
  } catch (error) {
    await mongo.stop();
    throw error;
  }
  const hosts = mongo.members.map(({ port }) => `127.0.0.1:${port}`).join(',');
  return { ...mongo, uri: `mongodb://${hosts}/?replicaSet=${SET}` };
}

/** Starts one mongod that is in no replica set: it has no transactions and no change streams. */
export async function startStandalone(options: Pick<ReplicaSetOptions, 'args'> = {}): Promise<Mongo> {
  return startMembers(1, options.args ?? []);
}

/** The address with a database that nobody else uses in it, whatever database it named before. */
export function freshDatabase(uri: string): { name: string; uri: string } {
  const name = `postern_${randomBytes(8).toString('hex')}`;
  const [, hosts, database, query = ''] = /^(mongodb(?:\+srv)?:\/\/[^/?]+)\/?([^?]*)(\?.*)?$/.exec(uri) ?? [];
  if (!hosts) throw new Error('no address of a MongoDB');
  // Who logs in without authSource logs in to the database of the address, which changes here.
  const login = hosts.includes('@') && !/[?&]authSource=/i.test(query);
  const source = login ? `${query ? '&' : '?'}authSource=${database || 'admin'}` : '';
  return { name, uri: `${hosts}/${name}${query}${source}` };
}

async function existing(uri: string): Promise<Mongo> {
  const hello = await command(uri, { hello: 1 });
  if (!hello.setName && hello.msg !== 'isdbgrid') {
    throw new Error('POSTERN_TEST_MONGODB_URI names a MongoDB that is not a replica set');
  }
  const noMembers = () =>
    Promise.reject(new Error('the members of POSTERN_TEST_MONGODB_URI are not ours: use `own`'));
  return { uri, members: [], primary: noMembers, stop: async () => {} };
}

async function startMembers(
  count: number,
  args: readonly string[],
  { inSession = false, onDisk = false }: Pick<ReplicaSetOptions, 'inSession' | 'onDisk'> = {},
): Promise<Mongo> {
  const program = await findMongod();
  const scratch = await mkdtemp(join(await dataFolder(onDisk), 'postern-mongod-'));
  const started: { member: Member; stop(): Promise<void> }[] = [];
  const stop = async () => {
    await Promise.all(started.map((one) => one.stop()));
    await rm(scratch, { recursive: true, force: true });
  };
  try {
    for (let index = 0; index < count; index += 1) {
      started.push(await startMember(program, { scratch, inSession }, String(index), [...ARGS, ...args]));
    }
  } catch (error) {
    await stop();
    throw error;
  }
  const members = started.map(({ member }) => member);
  const primary = () => until('one member is primary', () => writable(members));
  return { uri: members[0]?.uri ?? '', members, primary, stop };
}

/** For the members of all that runs at once: of each the journal alone is 300 MB from the start. */
const roomMinBytes = 4 * 1024 ** 3;

/**
 * Where mongod keeps its data: in memory where there is room. Nothing here outlives the machine, and a disk, which flushes
 * each write by majority, is waited for beside all others who have theirs flushed. What a mongod had written when it was
 * killed is there in either.
 */
async function dataFolder(onDisk: boolean): Promise<string> {
  const memory = '/dev/shm';
  const { bavail, bsize } = await statfs(memory).catch(() => ({ bavail: 0, bsize: 0 }));
  return !onDisk && bavail * bsize >= roomMinBytes ? memory : tmpdir();
}

/** Whichever member says first that it takes writes: one that is stopped does not hold up the others. */
async function writable(members: readonly Member[]): Promise<Member | undefined> {
  const asked = members.map(async (member) => {
    const hello = await command(member.uri, { hello: 1 }, soon);
    if (!hello.isWritablePrimary) throw new Error('not primary');
    return member;
  });
  return Promise.any(asked).catch(() => undefined);
}

interface Place {
  readonly scratch: string;
  readonly inSession: boolean;
}

async function startMember(
  program: Program,
  place: Place,
  name: string,
  args: readonly string[],
): Promise<{ member: Member; stop(): Promise<void> }> {
  const data = join(place.scratch, name);
  await mkdir(data);
  const listenOn = (port: number) =>
    listening(program, place, ['--dbpath', data, '--port', String(port), ...args]);

  let port = 0;
  let mongod = await until('mongod has a port', async () => {
    port = await freePort();
    return listenOn(port);
  });
  const member: Member = {
    port,
    uri: `mongodb://127.0.0.1:${port}/?directConnection=true`,
    pid: () => mongod.pid,
    log: () => mongod.log(),
    async kill(signal) {
      await mongod.kill(signal);
      if (['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGABRT'].includes(signal)) await mongod.exited;
    },
    async restart() {
      mongod = await until(`mongod has port ${port} again`, () => listenOn(port));
    },
  };
  return { member, stop: () => mongod.stop() };
}

/** A mongod that accepts connections, or `undefined` when its port is taken. */
async function listening(
  program: Program,
  { scratch, inSession }: Place,
  args: readonly string[],
): Promise<Running | undefined> {
  const mongod = await start(program, args, scratch, process.env, { inSession });
  await until(
    () => `mongod listens\n${tail(mongod)}`,
    () => mongod.hasExited() || mongod.log().includes('"Waiting for connections"'),
  );
  if (!mongod.hasExited()) return mongod;
  if (/Address already in use/.test(mongod.log())) return undefined;
  throw new Error(`mongod did not start\n${tail(mongod)}`);
}

async function initiate(members: readonly Member[], electionTimeoutMillis: number): Promise<void> {
  const [first] = members;
  if (!first) throw new Error('a replica set has at least one member');
  const config = {
    _id: SET,
    members: members.map(({ port }, index) => ({ _id: index, host: `127.0.0.1:${port}` })),
    settings: { electionTimeoutMillis, heartbeatIntervalMillis: 200 },
  };
  await command(first.uri, { replSetInitiate: config });
  await until('the replica set is complete', async () => {
    const status = await command(first.uri, { replSetGetStatus: 1 });
    const states = (status.members as { stateStr: string }[]).map(({ stateStr }) => stateStr);
    return (
      states.includes('PRIMARY') && states.every((state) => state === 'PRIMARY' || state === 'SECONDARY')
    );
  });
}

/** Of a member that is up; one that is stopped, or was killed, is to be noticed with `soon`. */
const patience = { serverSelectionTimeoutMS: 60_000, socketTimeoutMS: 120_000 };
const soon = { serverSelectionTimeoutMS: 2_000, socketTimeoutMS: 10_000 };

async function command(
  uri: string,
  body: Document,
  timeouts: MongoClientOptions = patience,
): Promise<Document> {
  const client = new MongoClient(uri, timeouts);
  try {
    return await client.db('admin').command(body);
  } finally {
    await client.close();
  }
}

function tail(mongod: Running): string {
  return mongod.log().trim().split('\n').slice(-10).join('\n');
}
