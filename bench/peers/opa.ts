import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { bareAllowed, bareDenied } from '../client/answer.ts';
import { hexDigests } from '../common/keys.ts';
import { isAboutRequest } from '../common/kinds.ts';
import { freePort, type Peer, startChild, untilUp } from './peer.ts';

/** One line, over the same digests as the Go peer has. */
const policy = `package envoy.authz

import rego.v1

default allow := false

allow if data.digests[crypto.sha256(trim_prefix(input.attributes.request.http.headers.authorization, "Bearer "))]
`;

/** More keys than this take OPA over a gigabyte. */
export const opaKeysMax = 200_000;

/** The version of the opa-envoy-plugin at `binary`; null where it does not run. */
export function opaVersion(binary: string): string | null {
  const { status, stdout } = spawnSync(binary, ['version'], { encoding: 'utf8' });
  return status === 0 ? (/^Version: (\S+)/m.exec(stdout)?.[1] ?? 'unknown') : null;
}

/** Starts OPA-Envoy on one processor with `keys`: no decision log, no status, no tracing. */
export async function startOpa(binary: string, scratch: string, keys: readonly string[]): Promise<Peer> {
  const [port, http, diagnostic] = [await freePort(), await freePort(), await freePort()];
  const [config, rules, data] = ['opa.json', 'policy.rego', 'data.json'].map((name) => join(scratch, name));
  if (config === undefined || rules === undefined || data === undefined) throw new Error('unreachable');
  const plugin = { addr: `127.0.0.1:${port}`, path: 'envoy/authz/allow' };
  writeFileSync(config, JSON.stringify({ plugins: { envoy_ext_authz_grpc: plugin } }));
  writeFileSync(rules, policy);
  const digests = hexDigests(keys).trimEnd().split('\n');
  writeFileSync(
    data,
    JSON.stringify({ digests: Object.fromEntries(digests.map((digest) => [digest, true])) }),
  );
  const addresses = ['--addr', `127.0.0.1:${http}`, '--diagnostic-addr', `127.0.0.1:${diagnostic}`];
  const args = [
    ...['run', '--server', '--config-file', config, ...addresses],
    ...['--log-level', 'error', '--disable-telemetry', rules, data],
  ];
  const child = startChild(binary, args, {
    env: { PATH: process.env.PATH, HOME: scratch, GOMAXPROCS: '1' },
    cwd: scratch,
    log: join(scratch, 'opa.log'),
  });
  await untilUp(child, () => accepts(port), 120_000);
  return {
    name: 'opa',
    port,
    pid: child.process.pid ?? 0,
    proxyPid: null,
    protocol: 'check',
    mention: null,
    presents: (kind) => (isAboutRequest(kind) ? 'miss' : kind),
    answer: (kind) => (kind === 'hit' || kind === 'window' ? bareAllowed : bareDenied),
    misses: async () => null,
    settled: async () => {},
    output: child.output,
    stop: child.stop,
    service: null,
  };
}

function accepts(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(port, '127.0.0.1');
  socket.once('connect', () => resolve(true));
  socket.once('error', () => resolve(false));
  return promise.finally(() => socket.destroy());
}
