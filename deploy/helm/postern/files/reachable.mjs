// What `helm test` runs: an address per argument, http(s)://… that has to answer 200, tcp://host:port that has to
// take a connection. Ends with 1 and a line for each that does not.
import { once } from 'node:events';
import { connect } from 'node:net';

const timeoutMs = 5_000;

const failures = (await Promise.all(process.argv.slice(2).map(ask))).filter((why) => why !== '');
for (const why of failures) process.stderr.write(`${why}\n`);
if (failures.length > 0) process.exitCode = 1;
else process.stdout.write('everything answers\n');

async function ask(address) {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const url = new URL(address);
    if (url.protocol !== 'tcp:') {
      const { status } = await fetch(url, { signal });
      return status === 200 ? '' : `${address} answers ${status}`;
    }
    const socket = connect({ host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port) });
    await once(socket, 'connect', { signal }).finally(() => socket.destroy());
    return '';
  } catch (error) {
    return `${address}: ${error.cause?.message ?? error.message}`;
  }
}
