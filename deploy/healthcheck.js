// The container image's health check: 0 where /readyz answers 200, else 1 with a line that says why. Plain
// JavaScript, for the image has no TypeScript. It asks where POSTERN_HTTP_LISTEN says, over cleartext.
import { request } from 'node:http';

const timeoutMs = 4_000; // below the Dockerfile's --timeout
const listen = process.env.POSTERN_HTTP_LISTEN || '127.0.0.1:8080';

const asked = request({ ...target(listen), path: '/readyz', timeout: timeoutMs }, (response) => {
  response.resume();
  if (response.statusCode !== 200) fail(`/readyz answers ${response.statusCode}`);
});
asked.on('timeout', () => asked.destroy(new Error('no answer in time')));
asked.on('error', (error) => fail(error.message || error.code));
asked.end();

/** host:port, [ipv6]:port or unix:/path; an address that means all of them is asked on loopback. */
function target(text) {
  if (text.startsWith('unix:')) return { socketPath: text.slice('unix:'.length) };
  const [, host = '', port = ''] = /^\[?(.*?)\]?:(\d+)$/.exec(text) ?? [];
  const loopback = { '0.0.0.0': '127.0.0.1', '::': '::1' };
  return { host: loopback[host] ?? host, port };
}

function fail(why) {
  process.stderr.write(`postern is not healthy: ${why}\n`);
  process.exitCode = 1;
}
