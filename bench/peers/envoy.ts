import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { configureEnvoy } from '../../deploy/envoy/configure.ts';
import { findEnvoy } from '../../test/real/binary.ts';
import { start } from '../../test/real/child.ts';
import { until } from '../../test/real/until.ts';
import { allowed, seenByCaller } from '../client/answer.ts';
import { isAboutRequest } from '../common/kinds.ts';
import type { Peer } from './peer.ts';

/** Who says what an Envoy lets in: nobody, its own filter over these keys, or a service. */
export type Authority =
  | { readonly kind: 'nobody' }
  | { readonly kind: 'api_key_auth'; readonly keys: readonly string[] }
  | { readonly kind: 'service'; readonly peer: Peer };

const shipped = new URL('../../deploy/envoy/envoy.yaml', import.meta.url);
const startMaxMs = 120_000;

/** The version of the Envoy that would be started; null where there is none, or it is in an image. */
export async function envoyVersion(): Promise<string | null> {
  const program = await findEnvoy().catch(() => null);
  if (program === null || !('path' in program)) return null;
  return (
    /\/(\d+\.\d+\.\d+)\//.exec(execFileSync(program.path, ['--version'], { encoding: 'utf8' }))?.[1] ?? null
  );
}

/**
 * Starts an Envoy of one worker that answers every request by itself, with 200, when it is allowed. The
 * configuration is the shipped one without its access log; all authorities have the same but for the filter.
 */
export async function startEdge(scratch: string, authority: Authority, raw: boolean): Promise<Peer> {
  const folder = mkdtempSync(join(scratch, 'envoy-'));
  const config = join(folder, 'envoy.json');
  writeFileSync(config, JSON.stringify(edgeConfig(readFileSync(shipped, 'utf8'), authority, raw)));
  const addressFile = join(folder, 'admin');
  const args = ['-c', config, '--admin-address-path', addressFile];
  const quiet = ['--disable-hot-restart', '--concurrency', '1', '--log-level', 'error'];
  const envoy = await start(await findEnvoy(), [...args, ...quiet], folder);
  const stopAll = async () => {
    await envoy.stop();
    if (authority.kind === 'service') await authority.peer.stop();
  };
  const port = await until(
    () => `Envoy is ready\n${envoy.log()}`,
    async () => {
      if (envoy.hasExited()) throw new Error(`Envoy did not start\n${envoy.log()}`);
      return existsSync(addressFile) && listenerPort(readFileSync(addressFile, 'utf8'));
    },
    { deadlineMs: startMaxMs },
  ).catch(async (error) => {
    await stopAll();
    throw error;
  });
  const served = authority.kind === 'service' ? authority.peer : null;
  return {
    name: served?.name ?? authority.kind,
    port,
    pid: served?.pid ?? envoy.pid,
    proxyPid: served === null ? null : envoy.pid,
    protocol: 'edge',
    mention: null,
    presents: (kind) => kind,
    answer(kind) {
      if (isAboutRequest(kind)) return null;
      if (authority.kind === 'nobody') return allowed;
      const outcome = served === null ? (kind === 'hit' ? allowed : 401) : served.answer(kind);
      return outcome === null ? null : seenByCaller(outcome);
    },
    misses: async () => (served === null ? null : served.misses()),
    settled: async () => served?.settled(),
    output: () => `${envoy.log()}${served?.output() ?? ''}`,
    stop: stopAll,
    service: null,
  };
}

async function listenerPort(admin: string): Promise<number | undefined> {
  const ready = await fetch(`http://${admin}/ready`).catch(() => null);
  if (!ready?.ok) return undefined;
  const listed = (await (await fetch(`http://${admin}/listeners?format=json`)).json()) as {
    listener_statuses: { local_address: { socket_address: { port_value: number } } }[];
  };
  return listed.listener_statuses[0]?.local_address.socket_address.port_value;
}

/** What `edgeConfig` changes of the shipped configuration. */
interface EnvoyConfig {
  static_resources: { listeners: { filter_chains: { filters: { typed_config: Connections }[] }[] }[] };
}

interface Connections {
  access_log?: unknown;
  http2_protocol_options: { max_concurrent_streams: number };
  http_filters: unknown[];
  route_config: unknown;
}

/** @param yaml the shipped configuration */
export function edgeConfig(yaml: string, authority: Authority, raw: boolean): unknown {
  const checkAddress =
    authority.kind === 'service'
      ? {
          checkAddress: [{ host: '127.0.0.1', port: authority.peer.port }],
        }
      : {};
  const settings = {
    listenPort: 0,
    adminPort: 0,
    encodeRawHeaders: raw,
    checkTimeoutMs: 5_000,
    ...checkAddress,
  };
  const config = parse(configureEnvoy(yaml, settings)) as EnvoyConfig;
  const connections = config.static_resources.listeners[0]?.filter_chains[0]?.filters[0]?.typed_config;
  if (connections === undefined) throw new Error('the shipped configuration has no listener');
  const [checks, router] = connections.http_filters;
  delete connections.access_log;
  connections.http2_protocol_options.max_concurrent_streams = 1024;
  connections.http_filters = [...filtersOf(authority, checks), router];
  connections.route_config = routes(authority.kind === 'service');
  return config;
}

function filtersOf(authority: Authority, checks: unknown): unknown[] {
  if (authority.kind === 'nobody') return [];
  if (authority.kind === 'service') return [checks];
  const type = 'type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth';
  const credentials = authority.keys.map((key, at) => ({ key, client: `client ${at}` }));
  const sources = [{ header: 'Authorization' }];
  const typedConfig = { '@type': type, credentials, key_sources: sources };
  return [{ name: 'envoy.filters.http.api_key_auth', typed_config: typedConfig }];
}

function routes(isChecked: boolean): unknown {
  const type = 'type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute';
  const asks = { context_extensions: { scheme: 'postern', environment: 'live' } };
  const perFilter = { 'envoy.filters.http.ext_authz': { '@type': type, check_settings: asks } };
  const route = {
    match: { prefix: '/' },
    direct_response: { status: 200, body: { inline_string: '{}' } },
    ...(isChecked && { typed_per_filter_config: perFilter }),
  };
  return { name: 'routes', virtual_hosts: [{ name: 'everything', domains: ['*'], routes: [route] }] };
}
