import { once } from 'node:events';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { Admin } from '../../admin/admin.ts';
import { Failure } from '../../failure.ts';
import type {
  ImportKeysRequest,
  ImportKeysResponse,
  KeyAdminServer,
} from '../gen/postern/admin/v1/key_admin.ts';
import { isUnexpected, toGrpcError } from '../status.ts';
import { importKeysInputOf, importMessage } from './messages/import-message.ts';
import { callerOf } from './unary.ts';

type ImportStream = ServerDuplexStream<ImportKeysRequest, ImportKeysResponse>;

export interface ImportMethodDependencies {
  readonly admin: Pick<Admin, 'importKeys'>;
  /** Told of an error that the caller is not shown. */
  readonly onBroken: (error: unknown) => void;
  /** Aborts when the service stops; default: it does not. */
  readonly stopping?: AbortSignal | undefined;
}

/** Taking in keys that were made elsewhere. */
export function createImportMethods({
  admin,
  onBroken,
  stopping = new AbortController().signal,
}: ImportMethodDependencies): Pick<KeyAdminServer, 'importKeys'> {
  return {
    importKeys(call) {
      const cancelled = new AbortController();
      call.on('cancelled', () => cancelled.abort());
      answerEach(call, cancelled.signal).then(
        () => call.end(),
        (error: unknown) => {
          if (cancelled.signal.aborted) return;
          if (isUnexpected(error)) onBroken(error);
          call.emit('error', toGrpcError(error));
        },
      );
    },
  };

  /** Takes the next message when the one before is answered and the answer is on its way. */
  async function answerEach(call: ImportStream, signal: AbortSignal): Promise<void> {
    const caller = callerOf(call);
    // Who may not import is told so before anything is read.
    await admin.importKeys(caller, { keys: [] });
    let offset = 0;
    const messages: AsyncIterable<ImportKeysRequest> = call.iterator({ destroyOnReturn: false });
    const requests = messages[Symbol.asyncIterator]();
    const { promise: stopped, reject } = Promise.withResolvers<never>();
    const stop = () => reject(serviceStops());
    stopping.addEventListener('abort', stop);
    try {
      for (;;) {
        if (stopping.aborted) throw serviceStops();
        const { done, value: request } = await Promise.race([requests.next(), stopped]);
        if (done) return;
        signal.throwIfAborted();
        const message = importMessage(await admin.importKeys(caller, importKeysInputOf(request)), offset);
        offset += request.keys.length;
        if (!call.write(message)) await once(call, 'drain', { signal });
      }
    } finally {
      stopping.removeEventListener('abort', stop);
      stopped.catch(() => {});
    }
  }
}

/** Of a message that was begun the answer is on its way by then. */
function serviceStops(): Failure {
  const message =
    'This replica stops; send what was not answered to another. A key that is there already is a duplicate.';
  return new Failure('UNAVAILABLE', 'SERVICE_STOPS', message);
}
