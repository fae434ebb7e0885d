import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the ports that systems give to whoever asks for any, or connects: those are taken and left all the time. */
const [lowest, highest] = [10_000, 32_000];
const triesMax = 100;
/** One that was given stays its owner's, who may listen later, or end and listen again. */
const given = new Set<number>();
/** Each worker of a run has every fourth port for itself. */
const workersMax = 4;
const worker = Number(process.env.VITEST_POOL_ID ?? 0) % workersMax;

/**
 * A port on 127.0.0.1 that nobody listened on a moment ago, another one each time. Somebody may take it before you do:
 * where you can, listen on port 0 instead, and where you cannot, try again with another.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < triesMax; tries++) {
    const port = randomInt(lowest / workersMax, highest / workersMax) * workersMax + worker;
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) return port;
  }
  throw new Error(`no port between ${lowest} and ${highest} is free`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<boolean>();
  server.on('error', () => resolve(false)).on('listening', () => resolve(true));
  server.listen(port, '127.0.0.1');
  if (!(await promise)) return false;
  server.close();
  await once(server, 'close');
  return true;
}
