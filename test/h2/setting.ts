import { createH2Listener, type H2Listener, type H2ListenerOptions } from '../../src/h2/listener.ts';
import type { Listen } from '../../src/net/listen.ts';
import { RpcError, type RpcMethod, type RpcMethods } from '../../src/net/rpc.ts';
import { call, RawClient } from './raw-client.ts';

/** A clock that stands still until it is told to pass. */
export class FakeClock {
  #now = 1_000;
  #timers: { readonly at: number; readonly call: () => void }[] = [];

  now = (): number => this.#now;

  after = (ms: number, call: () => void): (() => void) => {
    const timer = { at: this.#now + ms, call };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  };

  /** Calls what falls due, in order; what it sets falls due too. */
  pass(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const [next] = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#timers = this.#timers.filter((one) => one !== next);
      this.#now = next.at;
      next.call();
    }
    this.#now = end;
  }
}

/** A unary call that waits for the test to answer it. */
export interface Held {
  readonly request: string;
  answer(content: string): void;
  fail(error: unknown): void;
}

/** Methods for tests: `/test.Echo/` Echo, Held, Broken, Large and Chat. */
export interface TestMethods {
  readonly methods: RpcMethods;
  /** Calls of Held that wait. */
  readonly held: Held[];
  /** How often Echo was called. */
  readonly calls: { count: number };
  /** What Chat was told of the end of its calls. */
  readonly chats: string[];
  /** Lets each call of Chat that was told to pause go on. */
  readonly resumes: (() => void)[];
}

/** What Echo answers from, over and over. */
const lent = Buffer.alloc(16 * 1_024 * 1_024);

export function createTestMethods(): TestMethods {
  const held: Held[] = [];
  const chats: string[] = [];
  const resumes: (() => void)[] = [];
  const calls = { count: 0 };
  const unary = (handle: (request: Uint8Array) => Uint8Array | Promise<Uint8Array>): RpcMethod => ({
    kind: 'unary',
    handle,
  });
  const methods = new Map<string, RpcMethod>([
    [
      '/test.Echo/Echo',
      unary((request) => {
        calls.count += 1;
        // As an answer to a Check, it holds until the next call.
        lent.set(request);
        return lent.subarray(0, request.length);
      }),
    ],
    [
      '/test.Echo/Held',
      unary((bytes) => {
        const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
        const request = Buffer.from(bytes).toString();
        held.push({ request, answer: (content) => resolve(Buffer.from(content)), fail: reject });
        return promise;
      }),
    ],
    ['/test.Echo/Refused', unary(() => Promise.reject(new RpcError(14, 'später: 50 %\n')))],
    [
      '/test.Echo/Broken',
      unary(() => {
        throw new TypeError('a secret of ours');
      }),
    ],
    ['/test.Echo/Large', unary((bytes) => Buffer.alloc(Number(Buffer.from(bytes).toString()), 'x'))],
    ['/test.Echo/Chat', chat(chats, resumes)],
  ]);
  return { methods, held, calls, chats, resumes };
}

/** Echoes each message, and ends when its caller does; `pause` makes it pause, `fail` fail, `N times` answer N times. */
function chat(chats: string[], resumes: (() => void)[]): RpcMethod {
  return {
    kind: 'stream',
    start: (stream) => ({
      onMessage(bytes) {
        const said = Buffer.from(bytes).toString();
        const [, times = '1'] = /^(\d+) times/.exec(said) ?? [];
        if (said === 'fail') stream.end(new RpcError(5, 'as told'));
        else if (said === 'pause') {
          stream.pause();
          resumes.push(stream.resume);
        } else for (let left = Number(times); left > 0; left--) stream.send(bytes);
      },
      onHalfClose: () => stream.end(),
      onCancelled: () => chats.push('cancelled'),
    }),
  };
}

export interface Setting extends TestMethods {
  readonly listener: H2Listener;
  readonly listen: Listen;
  readonly clock: FakeClock;
  readonly broken: unknown[];
  connect(isGreeting?: boolean): Promise<RawClient>;
  /** Whether a client on a connection of its own is served. */
  serves(): Promise<boolean>;
  close(): Promise<void>;
}

const loopback: Listen = { kind: 'tcp', host: '127.0.0.1', port: 0 };

export async function createSetting(
  bounds: NonNullable<H2ListenerOptions['bounds']> = {},
  given: Partial<H2ListenerOptions> = {},
): Promise<Setting> {
  const clock = new FakeClock();
  const broken: unknown[] = [];
  const onBroken = (error: unknown) => broken.push(error);
  const test = createTestMethods();
  const options = { bounds, clock, random: () => 0.5, onBroken, ...given };
  const listener = createH2Listener(test.methods, options);
  const listen = await listener.listen(loopback);
  const clients: RawClient[] = [];
  const connect = async (isGreeting = true) => {
    const client = await RawClient.connect(listen, isGreeting);
    clients.push(client);
    return client;
  };
  return {
    ...{ ...test, listener, listen, clock, broken, connect },
    async serves() {
      const client = await connect();
      client.send(call(1, 'hello'));
      const { headers } = await client.outcome(1);
      client.close();
      return headers['grpc-status'] === '0';
    },
    async close() {
      for (const client of clients) client.close();
      const closed = listener.close(0);
      clock.pass(0);
      await closed;
    },
  };
}
