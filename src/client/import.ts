import { once } from 'node:events';
import { ImportKeysRequest, type ImportKeysResponse } from '../grpc/gen/postern/admin/v1/key_admin.ts';
import type { CallOptions, Calls } from './calls.ts';
import { posternError } from './errors.ts';
import { type Input, wholeRequest } from './input.ts';

type Batch = Input<ImportKeysRequest>;

/** Sends the batches as fast as the service takes them, and tells its answers. */
export async function* importKeys(
  calls: Pick<Calls, 'startImport'>,
  batches: Iterable<Batch> | AsyncIterable<Batch>,
  options: CallOptions,
): AsyncGenerator<ImportKeysResponse, void> {
  const stream = await calls.startImport(options);
  const end = () => stream.cancel();
  options.signal?.addEventListener('abort', end, { once: true });
  const sent = send().catch((error) => stream.destroy(error));
  try {
    yield* stream as AsyncIterable<ImportKeysResponse>;
    await sent;
  } catch (error) {
    throw posternError(error);
  } finally {
    options.signal?.removeEventListener('abort', end);
    stream.on('error', () => {});
    stream.cancel();
  }

  async function send(): Promise<void> {
    const defaults = ImportKeysRequest.decode(new Uint8Array());
    for await (const batch of batches) {
      if (!stream.write(wholeRequest(defaults, batch))) await once(stream, 'drain');
    }
    stream.end();
  }
}
