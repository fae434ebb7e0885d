import type { WatchKeysRequest, WatchKeysResponse } from '../grpc/gen/postern/admin/v1/key_admin.ts';
import type { CallOptions, Calls } from './calls.ts';
import { posternError } from './errors.ts';
import type { Input } from './input.ts';

/** Ends of a connection, and of a service: what was watched goes on at another one. */
const passing: ReadonlySet<string> = new Set(['UNAVAILABLE', 'INTERNAL', 'UNKNOWN']);

/** Each change once; ends where the signal aborts, and throws what will not pass. */
export async function* watchKeys(
  calls: Pick<Calls, 'watch' | 'again'>,
  request: Input<WatchKeysRequest>,
  options: CallOptions,
): AsyncGenerator<WatchKeysResponse, void> {
  const { signal } = options;
  let token = request.resume_token ?? '';
  for (let tries = 1; !signal?.aborted; tries++) {
    try {
      const stream = await calls.watch({ ...request, resume_token: token }, options);
      const end = () => stream.cancel();
      signal?.addEventListener('abort', end, { once: true });
      try {
        for await (const change of stream as AsyncIterable<WatchKeysResponse>) {
          token = change.resume_token;
          tries = 0;
          // A sign of life, which says only how far the watch has come.
          if (change.type !== '') yield change;
        }
      } finally {
        signal?.removeEventListener('abort', end);
        stream.on('error', () => {});
        stream.cancel();
      }
    } catch (error) {
      if (signal?.aborted) return;
      const refused = posternError(error);
      if (!passing.has(refused.code)) throw refused;
    }
    try {
      await calls.again(tries, null, signal);
    } catch (error) {
      if (signal?.aborted) return;
      throw error;
    }
  }
}
