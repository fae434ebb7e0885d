import { chmod } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { type Listen, ListenError, whyNotOpened } from './listen.ts';
import { openAll } from './open-addresses.ts';
import { removeStaleSocket } from './unix-socket.ts';

/** Takes connections, on every address that it is told to listen on. */
export interface Acceptor {
  /** Resolves to where it listens; rejects with a `ListenError` when it cannot. */
  listen(listen: Listen): Promise<Listen>;
  /** Takes no more; resolves when those that it took, and still has, are closed. */
  close(): Promise<void>;
}

export interface AcceptorOptions {
  /**
   * Shares its TCP ports with other processes of the same user that set it too (SO_REUSEPORT); the kernel gives
   * each connection to one of them. Default: a port that is taken is an error.
   */
  readonly reusePort?: boolean;
  /** Reads nothing of a connection, which another process will. Default false. */
  readonly isHandedOn?: boolean;
  /** Told of what should not have happened; must not throw. */
  readonly onBroken: (error: unknown) => void;
}

export function createAcceptor(
  accept: (socket: Socket) => void,
  { reusePort = false, isHandedOn = false, onBroken }: AcceptorOptions,
): Acceptor {
  const servers: Server[] = [];

  const open = async (at: { host: string; port: number } | { path: string }) => {
    const server = createServer({ noDelay: true, pauseOnConnect: isHandedOn }, accept);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ ...at, reusePort: reusePort && 'port' in at }, resolve);
    });
    server.removeAllListeners('error').on('error', onBroken);
    servers.push(server);
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  };

  return {
    async listen(listen) {
      try {
        if (listen.kind === 'tcp') return { ...listen, port: await openAll(listen, open) };
        await removeStaleSocket(listen.path);
        await open({ path: listen.path });
        // Every user of the machine may connect, Envoy's among them; the folder's rights say who reaches it.
        await chmod(listen.path, 0o666);
        return listen;
      } catch (error) {
        throw new ListenError(whyNotOpened(listen, (error as Error).message));
      }
    },
    async close() {
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}
