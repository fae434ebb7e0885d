import { Agent, request } from 'node:http';

/** Answers the status and the JSON of a body. Rejects where the service cannot be reached. */
export type AdminCall = (
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  body?: unknown,
) => Promise<{ status: number; json: unknown }>;

/** Admin calls over REST, on connections that are kept; one for each call under way. */
export function createAdminCalls(url: string, adminKey: string): { call: AdminCall; close(): void } {
  const agent = new Agent({ keepAlive: true });
  const call: AdminCall = (method, path, body) => {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; json: unknown }>();
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = {
      authorization: `Bearer ${adminKey}`,
      ...(text !== undefined && { 'content-length': Buffer.byteLength(text) }),
    };
    const sent = request(url + path, { method, agent, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const json = JSON.parse(Buffer.concat(chunks).toString()) as unknown;
        resolve({ status: response.statusCode ?? 0, json });
      });
    });
    sent.on('error', reject);
    sent.end(text);
    return promise;
  };
  return { call, close: () => agent.destroy() };
}

/** Calls of one kind that were timed. */
export interface Timed {
  readonly calls: number;
  readonly seconds: number;
  /** Of each call, milliseconds. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Makes calls, `callers` at a time, for as long as `goesOn` says so when one is answered. */
export async function timeCalls(
  callers: number,
  goesOn: (calls: number, ms: number) => boolean,
  call: (at: number) => Promise<void>,
): Promise<Timed> {
  const tookMs: number[] = [];
  let next = 0;
  const began = performance.now();
  const caller = async () => {
    while (goesOn(next, performance.now() - began)) {
      const startedMs = performance.now();
      await call(next++);
      tookMs.push(performance.now() - startedMs);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  const seconds = (performance.now() - began) / 1000;
  tookMs.sort((a, b) => a - b);
  const quantile = (fraction: number) =>
    tookMs[Math.max(0, Math.ceil(tookMs.length * fraction) - 1)] ?? Number.NaN;
  return { calls: tookMs.length, seconds, p50Ms: quantile(0.5), p99Ms: quantile(0.99) };
}
