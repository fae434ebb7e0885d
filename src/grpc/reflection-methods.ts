import type { RpcMethod, RpcStreamListener } from '../net/rpc.ts';

const paths = ['v1', 'v1alpha'].map(
  (version) => `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
);

/**
 * Server reflection, by the path of each method. What answers is loaded when somebody asks, since nobody does but
 * people who look around: it takes 5 MB of memory, and grpc-js where that is not there yet.
 */
export function createReflectionMethods(services: readonly string[]): ReadonlyMap<string, RpcMethod> {
  let loaded: Promise<ReadonlyMap<string, RpcMethod>> | null = null;
  const load = async () => {
    const [{ addReflection }, { createMethodTable }] = await Promise.all([
      import('./reflection.ts'),
      import('./rpc-methods.ts'),
    ]);
    const table = createMethodTable();
    addReflection(table, services);
    return table.methods;
  };
  const methodOf = async (path: string) => {
    loaded ??= load();
    return (await loaded).get(path);
  };
  return new Map(paths.map((path) => [path, lateStream(() => methodOf(path))]));
}

/** A method that is there a little later: its caller is not read from until then. */
function lateStream(methodOf: () => Promise<RpcMethod | undefined>): RpcMethod {
  return {
    kind: 'stream',
    start(stream) {
      let listener: RpcStreamListener | null = null;
      let isCancelled = false;
      /** What had been read already. */
      const early: ((there: RpcStreamListener) => void)[] = [];
      const tell = (what: (there: RpcStreamListener) => void) => {
        if (listener === null) early.push(what);
        else what(listener);
      };
      stream.pause();
      void methodOf().then((method) => {
        if (isCancelled) return;
        if (method?.kind !== 'stream') throw new Error('there is no such stream');
        listener = method.start(stream);
        for (const what of early) what(listener);
        stream.resume();
      });
      return {
        onMessage: (message) => tell((there) => there.onMessage(Buffer.from(message))),
        onHalfClose: () => tell((there) => there.onHalfClose()),
        onCancelled() {
          isCancelled = true;
          listener?.onCancelled();
        },
      };
    },
  };
}
