import { type IncomingMessage, Agent as PlainAgent, request as plainRequest } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import { Readable } from 'node:stream';

const connectMsMax = 10_000;
const plainAgent = new PlainAgent({ keepAlive: true });
const tlsAgent = new TlsAgent({ keepAlive: true });

/**
 * As much of `fetch` as the command line uses, on node:http: without redirects, and without fetch's list of ports that
 * it connects to for nobody (a service on port 10080 is as good as any). What fails is told as by fetch, a TypeError
 * whose `cause` has the code.
 */
export const httpFetch: typeof fetch = async (input, init = {}) => {
  const url = new URL(input instanceof Request ? input.url : input);
  const { method = 'GET', signal, body } = init;
  signal?.throwIfAborted();
  const isTls = url.protocol === 'https:';
  const headers = Object.fromEntries(new Headers(init.headers));
  const sent = (isTls ? tlsRequest : plainRequest)(url, {
    agent: isTls ? tlsAgent : plainAgent,
    method,
    headers: { ...headers, ...(typeof body === 'string' && { 'content-length': Buffer.byteLength(body) }) },
  });
  const answered = Promise.withResolvers<Response>();
  const stop = () => sent.destroy(signal?.reason);
  signal?.addEventListener('abort', stop, { once: true });
  sent.once('close', () => signal?.removeEventListener('abort', stop));
  sent.once('socket', (socket) => {
    if (!socket.connecting) return;
    const late = () =>
      sent.destroy(Object.assign(new Error('the connection timed out'), { code: 'ETIMEDOUT' }));
    const timer = setTimeout(late, connectMsMax);
    for (const event of ['connect', 'close']) socket.once(event, () => clearTimeout(timer));
  });
  sent.on('error', (error) =>
    answered.reject(signal?.aborted ? signal.reason : new TypeError('fetch failed', { cause: error })),
  );
  sent.once('response', (message) => {
    try {
      answered.resolve(responseOf(message));
    } catch (error) {
      answered.reject(error);
    }
  });
  sent.end(typeof body === 'string' ? body : undefined);
  return await answered.promise;
};

function responseOf(message: IncomingMessage): Response {
  const status = message.statusCode ?? 0;
  const headers = new Headers();
  for (const [name, value] of Object.entries(message.headers)) {
    for (const one of [value ?? []].flat()) headers.append(name, one);
  }
  if ([204, 205, 304].includes(status)) {
    message.resume();
    return new Response(null, { status, headers });
  }
  // Its type is that of the DOM's streams, which Node's own differ from in declarations alone.
  return new Response(Readable.toWeb(message) as ReadableStream<Uint8Array>, { status, headers });
}
