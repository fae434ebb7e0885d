/**
 * Room `client/`: What programs call Postern by, `postern/client` of the package. Here: one promise for each call of
 * KeyAdmin, safe retries, errors with their details. Not here: anything that only the service needs.
 */

import { type ChannelCredentials, credentials } from '@grpc/grpc-js';
import type {
  ImportKeysRequest,
  ImportKeysResponse,
  Key,
  ListKeysRequest,
  WatchKeysRequest,
  WatchKeysResponse,
} from '../grpc/gen/postern/admin/v1/key_admin.ts';
import { type CallOptions, createCalls, type UnaryCalls } from './calls.ts';
import { importKeys } from './import.ts';
import type { Input } from './input.ts';
import type { ClientSettings } from './settings.ts';
import { watchKeys } from './watch.ts';

export type * from '../grpc/gen/postern/admin/v1/key_admin.ts';
export type { CallOptions } from './calls.ts';
export type { ErrorCode, FieldViolation } from './errors.ts';
export { PosternError } from './errors.ts';
export type { Input } from './input.ts';
export type { ClientSettings } from './settings.ts';
export { dateOf, durationOf, timestampOf } from './times.ts';

/**
 * Every call of KeyAdmin, as the proto file describes it. What a request leaves out has its default. A call is tried
 * again while the service is away (UNAVAILABLE), and is never carried out twice: what makes a key or spends units has a
 * `request_id`, made here where none is given. Throws {@link PosternError}.
 */
export interface Client extends UnaryCalls {
  /** All keys that a list has, page after page. */
  allKeys(request?: Input<ListKeysRequest>, options?: CallOptions): AsyncGenerator<Key, void>;
  /**
   * Changes as they happen, until the signal of the options aborts or the loop is left. Goes on after the last change
   * that was told when the connection is lost.
   */
  watchKeys(
    request?: Input<WatchKeysRequest>,
    options?: CallOptions,
  ): AsyncGenerator<WatchKeysResponse, void>;
  /** Takes keys in that were made elsewhere, and says what became of each batch. It is not tried again. */
  importKeys(
    batches: Iterable<Input<ImportKeysRequest>> | AsyncIterable<Input<ImportKeysRequest>>,
    options?: CallOptions,
  ): AsyncGenerator<ImportKeysResponse, void>;
  /** Ends the connection; calls under way fail. */
  close(): void;
}

export function createClient(settings: ClientSettings): Client {
  const { target, isTls } = targetOf(settings.address);
  const security = credentialsOf(settings, isTls);
  const calls = createCalls({ ...settings, target, credentials: security });

  return {
    ...calls.unary,
    async *allKeys(request = {}, options) {
      let token = request.page_token ?? '';
      do {
        const page = await calls.unary.listKeys({ page_size: 1_000, ...request, page_token: token }, options);
        yield* page.keys;
        token = page.next_page_token;
      } while (token !== '');
    },
    watchKeys: (request = {}, options = {}) => watchKeys(calls, request, options),
    importKeys: (batches, options = {}) => importKeys(calls, batches, options),
    close: () => calls.close(),
  };
}

function targetOf(address: string): { readonly target: string; readonly isTls: boolean } {
  const [, scheme, rest = ''] = /^(https?):\/\/([^/]+)\/?$/.exec(address) ?? [];
  return scheme === undefined
    ? { target: address, isTls: false }
    : { target: rest, isTls: scheme === 'https' };
}

function credentialsOf({ tls }: ClientSettings, isTls: boolean): ChannelCredentials {
  if (tls === undefined && !isTls) return credentials.createInsecure();
  const { ca = null, cert = null, key = null } = tls ?? {};
  const bytes = (pem: string | Uint8Array | null) => (pem === null ? null : Buffer.from(pem as Uint8Array));
  return credentials.createSsl(bytes(ca), bytes(key), bytes(cert));
}
