import { randomUUID } from 'node:crypto';
import {
  Client as Channel,
  type ChannelCredentials,
  type ClientDuplexStream,
  type ClientReadableStream,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import {
  type ImportKeysRequest,
  type ImportKeysResponse,
  KeyAdminService,
  type WatchKeysRequest,
  type WatchKeysResponse,
} from '../grpc/gen/postern/admin/v1/key_admin.ts';
import { PosternError, posternError } from './errors.ts';
import { type Input, namedCalls, wholeRequest } from './input.ts';
import type { ClientSettings } from './settings.ts';

/** What a call may be told besides its request. */
export interface CallOptions {
  /** Ends the call, which then throws CANCELLED. */
  readonly signal?: AbortSignal;
  /** How long it may take, its retries included. A watch lasts for as long as it is looked at. */
  readonly timeoutMs?: number;
  /** Names the call in the journal. */
  readonly requestId?: string;
}

type Service = typeof KeyAdminService;
type RequestOf<Name extends keyof Service> = Parameters<Service[Name]['requestSerialize']>[0];
type AnswerOf<Name extends keyof Service> = ReturnType<Service[Name]['responseDeserialize']>;
type UnaryName = {
  [Name in keyof Service]: Service[Name]['responseStream'] extends false ? Name : never;
}[keyof Service];

/** The calls that take one message and answer one. */
export type UnaryCalls = {
  readonly [Name in UnaryName]: (
    request?: Input<RequestOf<Name>>,
    options?: CallOptions,
  ) => Promise<AnswerOf<Name>>;
};

/** Calls over one connection. */
export interface Calls {
  readonly unary: UnaryCalls;
  watch(
    request: Input<WatchKeysRequest>,
    options: CallOptions,
  ): Promise<ClientReadableStream<WatchKeysResponse>>;
  startImport(options: CallOptions): Promise<ClientDuplexStream<ImportKeysRequest, ImportKeysResponse>>;
  /** Waits before another try, longer the more there were; throws where no more are left, or the signal aborts. */
  again(tries: number, retryAfterMs: number | null, signal: AbortSignal | undefined): Promise<void>;
  close(): void;
}

export interface CallsSettings extends ClientSettings {
  readonly target: string;
  readonly credentials: ChannelCredentials;
}

const timeoutMsDefault = 30_000;
const triesMaxDefault = 4;
const backoffMs = { first: 100, longest: 5_000 };

type AnyMethod = {
  readonly path: string;
  readonly requestSerialize: (value: never) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => unknown;
  readonly requestDeserialize: (bytes: Buffer) => unknown;
};

export function createCalls(settings: CallsSettings): Calls {
  const { target, credentials, timeoutMs = timeoutMsDefault, triesMax = triesMaxDefault } = settings;
  const channel = new Channel(target, credentials, settings.channel ?? {});
  const names = Object.keys(KeyAdminService) as (keyof Service)[];
  const unary = names
    .filter((name) => !KeyAdminService[name].responseStream)
    .map((name) => [name, (request: object = {}, options: CallOptions = {}) => call(name, request, options)]);

  return {
    unary: Object.fromEntries(unary),
    async watch(request, options) {
      const { path, requestSerialize, responseDeserialize } = KeyAdminService.watchKeys;
      const message = whole(KeyAdminService.watchKeys, request) as WatchKeysRequest;
      const metadata = await metadataOf(options);
      return channel.makeServerStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        message,
        metadata,
        {},
      );
    },
    async startImport(options) {
      const { path, requestSerialize, responseDeserialize } = KeyAdminService.importKeys;
      const deadline = { deadline: Date.now() + (options.timeoutMs ?? timeoutMs) };
      const metadata = await metadataOf(options);
      return channel.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata, deadline);
    },
    again,
    close: () => channel.close(),
  };

  async function call(name: keyof Service, request: object, options: CallOptions): Promise<unknown> {
    const method: AnyMethod = KeyAdminService[name];
    const deadline = Date.now() + (options.timeoutMs ?? timeoutMs);
    // The same name in every try: what the first one did, though its answer was lost, is not done again.
    const named = namedCalls.has(name) ? { request_id: randomUUID() } : {};
    const message = whole(method, { ...named, ...withoutUndefined(request) });
    for (let tries = 1; ; tries++) {
      try {
        return await once(method, message, deadline, options);
      } catch (error) {
        const refused = posternError(error);
        if (refused.code !== 'UNAVAILABLE' || tries >= triesMax || Date.now() >= deadline) throw refused;
        await again(tries, refused.retryAfterMs, options.signal);
      }
    }
  }

  async function once(method: AnyMethod, message: object, deadline: number, options: CallOptions) {
    const metadata = await metadataOf(options);
    const { signal } = options;
    return new Promise((resolve, reject) => {
      const { path, requestSerialize, responseDeserialize } = method;
      const answered = (error: ServiceError | null, answer: unknown) =>
        error === null ? resolve(answer) : reject(error);
      const sent = [path, requestSerialize, responseDeserialize, message as never, metadata] as const;
      const under = channel.makeUnaryRequest(...sent, { deadline }, answered);
      const cancel = () => under.cancel();
      signal?.addEventListener('abort', cancel, { once: true });
      under.on('status', () => signal?.removeEventListener('abort', cancel));
      if (signal?.aborted) cancel();
    });
  }

  async function metadataOf({ requestId, signal }: CallOptions): Promise<Metadata> {
    if (signal?.aborted) throw cancelled(signal);
    const { adminKey } = settings;
    const key = typeof adminKey === 'string' ? adminKey : await adminKey();
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${key}`);
    if (requestId !== undefined) metadata.set('x-request-id', requestId);
    return metadata;
  }
}

function whole({ requestDeserialize }: AnyMethod, given: object): object {
  return wholeRequest(Object(requestDeserialize(Buffer.alloc(0))), given);
}

function withoutUndefined(request: object): object {
  return Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined));
}

function cancelled(signal: AbortSignal): PosternError {
  return new PosternError('CANCELLED', 'The call was cancelled.', {}, { cause: signal.reason });
}

/** Twice as long each time, and not for all callers alike. */
function again(tries: number, retryAfterMs: number | null, signal: AbortSignal | undefined): Promise<void> {
  const most = Math.min(backoffMs.first * 2 ** (tries - 1), backoffMs.longest);
  const ms = retryAfterMs ?? most / 2 + (Math.random() * most) / 2;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(cancelled(signal));
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    function stop() {
      clearTimeout(timer);
      reject(cancelled(signal as AbortSignal));
    }
    signal?.addEventListener('abort', stop, { once: true });
  });
}
