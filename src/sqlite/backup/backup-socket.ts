import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { DatabaseSync } from 'node:sqlite';
import { pipeline } from 'node:stream/promises';
import { copyOf, removeCopies } from './backup.ts';

/** Where the process that has a database hands out copies of it. */
export function backupSocketOf(path: string): string {
  return `${path}-backup`;
}

/** The first byte says what follows: a copy, or why there is none. */
export const copyFollows = '+';
export const refusalFollows = '-';

/** Copies that are made at once: each needs the room of the database on its disk. */
const copiesMax = 1;

/** A copy that nobody has read from for so long is given up. */
const idleMaxMs = 30_000;

/**
 * Hands out copies of the database to whoever connects to the socket beside it: whoever may open that, which like the
 * file is for its owner alone. Takes the place of a socket that a crash has left. Call `close` before the database is
 * closed.
 */
export function listenForBackups(
  database: DatabaseSync,
  path: string,
  onError: (error: unknown) => void,
): { close(): Promise<void> } {
  const socketPath = backupSocketOf(path);
  const copies = new Set<Promise<void>>();
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    if (copies.size >= copiesMax) {
      socket.end(`${refusalFollows}another backup is being made; try again when it is done`);
      return;
    }
    const copy = send(socket).finally(() => copies.delete(copy));
    copies.add(copy);
  });
  server.on('error', (cause) =>
    onError(new Error('no backup can be taken while the service runs', { cause })),
  );
  // Only this process has the database: whoever listened there, or made copies, before is gone.
  removeCopies(path);
  rmSync(socketPath, { force: true });
  server.listen(socketPath);
  // The socket is there at once; in the callback of `listen` it would be narrowed only after who opens the store goes on.
  if (server.listening) chmodSync(socketPath, 0o600);
  server.unref();

  async function send(socket: Socket): Promise<void> {
    const gone = new AbortController();
    socket.on('close', () => gone.abort());
    const copy = copyOf(database, path, gone.signal);
    try {
      const first = await copy.next();
      socket.setTimeout(idleMaxMs, () => socket.destroy());
      await pipeline(async function* () {
        yield Buffer.from(copyFollows);
        if (first.value !== undefined) yield first.value;
        yield* copy;
      }, socket);
    } catch (error) {
      if (gone.signal.aborted) return;
      onError(error);
      socket.end(`${refusalFollows}the copy could not be made: ${(error as Error).message}`);
    } finally {
      await copy.return(undefined);
    }
  }

  return {
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await Promise.all(copies);
      rmSync(socketPath, { force: true });
    },
  };
}
