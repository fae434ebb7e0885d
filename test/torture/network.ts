import { createConnection, createServer, type Socket } from 'node:net';
import { BSON } from 'mongodb';

/** A network between service processes and mongods in which any two can be cut off from each other. */
export interface Network {
  /** Listens in front of a mongod, by whose name others are cut off from it; returns the port. */
  front(name: string, mongodPort: number): Promise<number>;
  /**
   * Cuts two off from each other, both ways. A service process goes by the `appName` in its address, a
   * mongod by the name of its front. What goes between them is held, as by a network that loses every packet,
   * where nobody is told; or, with `reset`, their connections are broken, new ones too.
   */
  cut(one: string, other: string, how?: Cut): void;
  /** Lets go of what was held; it arrives late, if anybody still waits for it. */
  heal(one: string, other: string): void;
  healAll(): void;
  /**
   * Holds every connection of a service process on which it asks for its change stream, and no other: it
   * reads and writes as ever, and hears of no change.
   */
  stallStream(name: string): void;
  resumeStream(name: string): void;
  stop(): void;
}

export type Cut = 'hold' | 'reset';

interface Link {
  readonly from: string;
  readonly to: string;
  isHeld: boolean;
  /** Whether the change stream waits for an answer on it. */
  isStream: boolean;
  hold(): void;
  release(): void;
  destroy(): void;
}

export function createNetwork(): Network {
  const names = new Map<number, string>();
  const cuts = new Map<string, Cut>();
  const stalled = new Set<string>();
  const links = new Set<Link>();
  const stops: (() => void)[] = [];

  function apply(): void {
    for (const link of links) applyTo(link);
  }

  function applyTo(link: Link): void {
    const cut = cuts.get(pair(link.from, link.to));
    if (cut === 'reset') link.destroy();
    else if (cut === 'hold' || (link.isStream && stalled.has(link.from))) link.hold();
    else if (link.isHeld) link.release();
  }

  /** Nothing is sent on before it is known who speaks; a mongod says so in its first message. */
  function accept(client: Socket, to: string, mongodPort: number): void {
    const mongod = createConnection(mongodPort, '127.0.0.1');
    client.on('error', () => mongod.destroy());
    mongod.on('error', () => client.destroy());
    client.on('close', () => mongod.destroy());
    mongod.on('close', () => client.destroy());
    client.once('data', (first) => {
      client.pause();
      const from = speaker(first as Buffer, names);
      const link = createLink(from, to, client, mongod, first as Buffer, applyTo);
      links.add(link);
      client.on('close', () => links.delete(link));
      applyTo(link);
    });
  }

  return {
    async front(name, mongodPort) {
      names.set(mongodPort, name);
      const server = createServer((client) => accept(client, name, mongodPort));
      const { promise, resolve, reject } = Promise.withResolvers<number>();
      server.on('error', reject);
      server.listen(0, '127.0.0.1', () => {
        const address = server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
      stops.push(() => server.close());
      return promise;
    },
    cut(one, other, how = 'hold') {
      cuts.set(pair(one, other), how);
      apply();
    },
    heal(one, other) {
      cuts.delete(pair(one, other));
      apply();
    },
    stallStream(name) {
      stalled.add(name);
      apply();
    },
    resumeStream(name) {
      stalled.delete(name);
      apply();
    },
    healAll() {
      cuts.clear();
      stalled.clear();
      apply();
    },
    stop() {
      for (const stop of stops) stop();
      for (const link of links) link.destroy();
    },
  };
}

/** `onSent` may hold the link before what was just read of the client is sent on. */
function createLink(
  from: string,
  to: string,
  client: Socket,
  mongod: Socket,
  first: Buffer,
  onSent: (link: Link) => void,
): Link {
  let unsent = [first];
  const link: Link = {
    // Held until it is known whether the two are cut off from each other.
    ...{ from, to, isHeld: true, isStream: false },
    hold() {
      link.isHeld = true;
      client.pause();
      mongod.pause();
    },
    release() {
      link.isHeld = false;
      for (const bytes of unsent) mongod.write(bytes);
      unsent = [];
      client.resume();
      mongod.resume();
    },
    destroy() {
      client.destroy();
      mongod.destroy();
    },
  };
  client.on('data', (bytes: Buffer) => {
    link.isStream = streamCommands.some((command) => bytes.includes(command));
    if (link.isStream) onSent(link);
    if (link.isHeld) unsent.push(bytes);
    else if (!mongod.write(bytes)) client.pause();
  });
  mongod.on('data', (bytes) => {
    link.isStream = false;
    if (!client.write(bytes)) mongod.pause();
  });
  const goOn = () => {
    if (link.isHeld) return;
    client.resume();
    mongod.resume();
  };
  client.on('drain', goOn);
  mongod.on('drain', goOn);
  return link;
}

/** Of what a service process sends, these are its change stream's alone. */
const streamCommands = ['$changeStream', 'getMore\0'];

const opQuery = 2004;
const opMessage = 2013;

/**
 * Who opens a connection: the application's name of a driver's hello, or the name of the mongod whose
 * `hostInfo` ends in its port (it says so with enableTestCommands); '' for anybody else.
 * https://github.com/mongodb/specifications/blob/master/source/mongodb-handshake/handshake.md
 */
function speaker(first: Buffer, mongods: ReadonlyMap<number, string>): string {
  const operation = first.length > 16 ? first.readInt32LE(12) : 0;
  const nameEnd = first.indexOf(0, 20);
  const at = operation === opMessage ? 21 : operation === opQuery ? nameEnd + 9 : first.length;
  if (at + 4 > first.length || at + first.readInt32LE(at) > first.length) return '';
  const hello = BSON.deserialize(first.subarray(at, at + first.readInt32LE(at)));
  const port = /:(\d+)$/.exec(String(hello.hostInfo ?? ''))?.[1];
  return (port ? mongods.get(Number(port)) : hello.client?.application?.name) ?? '';
}

function pair(one: string, other: string): string {
  return [one, other].sort().join(' ');
}
