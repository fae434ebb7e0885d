// What of a running service's memory is alive: `node bench/live-heap.ts PID`, see README.md.
import { setTimeout } from 'node:timers/promises';
import { readResidentBytes } from './common/processor-time.ts';
import { table } from './report/markdown.ts';

/** Where Node listens for a debugger once it was sent SIGUSR1. */
const debuggerUrl = 'http://127.0.0.1:9229/json';
const mebibyte = 1_048_576;

interface Heap {
  /** What is alive and what V8 holds for it, bytes; buffers, which lie outside of it, by themselves. */
  readonly usedSize: number;
  readonly totalSize: number;
  readonly backingStorageSize: number;
}

type Call = (method: string, params?: object) => Promise<unknown>;

const pid = Number(process.argv[2]);
if (!Number.isInteger(pid) || pid < 1) {
  console.error('usage: node bench/live-heap.ts PID');
  process.exit(2);
}
const resident = readResidentBytes(pid);
process.kill(pid, 'SIGUSR1');
const threads = await attach(await debuggerOf());
const rows: string[][] = [];
let live = 0;
for (const [name, call] of threads) {
  const before = (await call('Runtime.getHeapUsage')) as Heap;
  await call('HeapProfiler.enable');
  await call('HeapProfiler.collectGarbage');
  const after = (await call('Runtime.getHeapUsage')) as Heap;
  live += after.usedSize + after.backingStorageSize;
  const sizes = [before.totalSize, before.usedSize, after.usedSize, after.backingStorageSize];
  rows.push([name, ...sizes.map((bytes) => (bytes / mebibyte).toFixed(1))]);
}
console.log(table(['MiB', 'heap held', 'heap used', 'alive', 'buffers alive'], rows));
console.log(
  `resident ${(resident / mebibyte).toFixed(1)} MiB, alive ${(live / mebibyte).toFixed(1)}: ${(resident / live).toFixed(2)} times as much`,
);
process.exit();

async function debuggerOf(): Promise<WebSocket> {
  for (let tries = 0; ; tries++) {
    try {
      const [target] = (await (await fetch(debuggerUrl)).json()) as [{ webSocketDebuggerUrl: string }];
      const socket = new WebSocket(target.webSocketDebuggerUrl);
      await new Promise((resolve) => socket.addEventListener('open', resolve));
      return socket;
    } catch (error) {
      if (tries > 100) throw error;
      await setTimeout(100);
    }
  }
}

/** How each thread is asked, by its name. */
async function attach(socket: WebSocket): Promise<[string, Call][]> {
  const waiting = new Map<number, (result: unknown) => void>();
  const sessions: string[] = [];
  let asked = 0;
  const take = (text: string) => {
    const { id, result, method, params } = JSON.parse(text);
    if (method === 'NodeWorker.attachedToWorker') sessions.push(params.sessionId);
    if (method === 'NodeWorker.receivedMessageFromWorker') take(params.message);
    if (id !== undefined) waiting.get(id)?.(result);
  };
  socket.addEventListener('message', ({ data }) => take(String(data)));
  const ask = (send: (text: string) => void): Call => {
    return (method, params = {}) =>
      new Promise((resolve) => {
        const id = ++asked;
        waiting.set(id, resolve);
        send(JSON.stringify({ id, method, params }));
      });
  };
  const main = ask((text) => socket.send(text));
  const told = (await main('Runtime.evaluate', { expression: 'process.pid' })) as {
    result: { value: number };
  };
  if (told.result.value !== pid)
    throw new Error(`process ${told.result.value} has the debugger's port: end it first`);
  await main('NodeWorker.enable', { waitForDebuggerOnStart: false });
  return [
    ['the service', main],
    ...sessions.map((sessionId, at): [string, Call] => [
      `worker ${at + 1}`,
      ask((message) => void main('NodeWorker.sendMessageToWorker', { sessionId, message })),
    ]),
  ];
}
