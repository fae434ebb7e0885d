import type { ServerWritableStream } from '@grpc/grpc-js';
import type { Admin } from '../../admin/admin.ts';
import { sendAll, type Watched } from '../../admin/watch-operations.ts';
import type {
  KeyAdminServer,
  WatchKeysRequest,
  WatchKeysResponse,
} from '../gen/postern/admin/v1/key_admin.ts';
import { isUnexpected, toGrpcError } from '../status.ts';
import { timestampOf } from './messages/time-message.ts';
import { callerOf } from './unary.ts';

type WatchCall = ServerWritableStream<WatchKeysRequest, WatchKeysResponse>;

/** Telling of events as they happen. A watch lasts until its caller has enough of it, or the service stops. */
export function createWatchMethods({
  admin,
  onBroken,
}: {
  readonly admin: Pick<Admin, 'watchKeys'>;
  readonly onBroken: (error: unknown) => void;
}): Pick<KeyAdminServer, 'watchKeys'> {
  return {
    watchKeys(call) {
      const ended = new AbortController();
      call.on('cancelled', () => ended.abort());
      watch(call, ended.signal).catch((error: unknown) => {
        ended.abort();
        if (isUnexpected(error)) onBroken(error);
        call.emit('error', toGrpcError(error));
      });
    },
  };

  async function watch(call: WatchCall, signal: AbortSignal): Promise<void> {
    const { resume_token, types } = call.request;
    const answers = await admin.watchKeys(callerOf(call), { resume_token, types }, signal);
    const send = (answer: Watched) =>
      new Promise<void>((resolve) => {
        call.write(watchMessage(answer), () => resolve());
      });
    await sendAll(answers, send, signal);
  }
}

function watchMessage({ resumeToken, event }: Watched): WatchKeysResponse {
  return {
    resume_token: resumeToken,
    at: event === null ? undefined : timestampOf(event.at),
    type: event?.type ?? '',
    target: event?.target ?? '',
    owner: event?.owner ?? undefined,
    actor: event?.actor ?? '',
    details: event === null ? undefined : { ...event.details },
  };
}
