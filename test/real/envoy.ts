import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { configureEnvoy, type EnvoySettings } from '../../deploy/envoy/configure.ts';
import { findEnvoy } from './binary.ts';
import { type Running, start } from './child.ts';
import { patient } from './patient.ts';
import { until } from './until.ts';

export interface Envoy {
  /** Of its first listener, without a slash at the end. */
  readonly url: string;
  readonly adminUrl: string;
  readonly pid: number;
  /** Its own log and its access log, one after the other. */
  log(): string;
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Its exit code, `null` after a signal. Never rejects. */
  readonly exited: Promise<number | null>;
  stop(): Promise<void>;
}

/** The configuration that we ship, deploy/envoy/envoy.yaml. */
export const shippedConfiguration = new URL('../../deploy/envoy/envoy.yaml', import.meta.url);

const QUICK = ['--disable-hot-restart', '--concurrency', '1', '--file-flush-interval-msec', '50'];

/**
 * Starts Envoy and returns when it is ready. Given settings, they are put into the shipped configuration, whose
 * ports are then chosen by the system unless named; given `configYaml`, that is used. The times that we ship are made
 * patient in either, unless it is to be started `asWritten`.
 */
export async function startEnvoy(
  settings: (EnvoySettings | { readonly configYaml: string }) & { readonly asWritten?: boolean },
): Promise<Envoy> {
  const configYaml = 'configYaml' in settings ? settings.configYaml : await shipped(settings);
  const { envoy, scratch } = await launch(settings.asWritten ? configYaml : patient(configYaml), QUICK);
  const stop = async () => {
    await envoy.stop();
    await rm(scratch, { recursive: true, force: true });
  };
  try {
    const adminUrl = await until(
      () => `Envoy is ready\n${envoy.log()}`,
      () => readyAt(envoy, join(scratch, 'admin')),
    );
    const url = await listenerUrl(adminUrl);
    const { pid, log, kill, exited } = envoy;
    return { url, adminUrl, pid, log, kill, exited, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Has Envoy read the configuration without starting it. Rejects with Envoy's own words where it is not accepted. */
export async function validateEnvoy(configYaml: string): Promise<void> {
  const { envoy, scratch } = await launch(configYaml, ['--mode', 'validate']);
  const code = await envoy.exited;
  const log = envoy.log();
  await envoy.stop();
  await rm(scratch, { recursive: true, force: true });
  if (code !== 0) throw new Error(`Envoy does not accept the configuration\n${log}`);
}

async function shipped(settings: EnvoySettings): Promise<string> {
  const yaml = await readFile(shippedConfiguration, 'utf8');
  return configureEnvoy(yaml, { listenPort: 0, adminPort: 0, ...settings });
}

async function launch(
  configYaml: string,
  args: readonly string[],
): Promise<{ envoy: Running; scratch: string }> {
  const program = await findEnvoy();
  const scratch = await mkdtemp(join(tmpdir(), 'postern-envoy-'));
  const config = join(scratch, 'envoy.yaml');
  await writeFile(config, configYaml);
  const envoy = await start(
    program,
    ['-c', config, '--admin-address-path', join(scratch, 'admin'), ...args],
    scratch,
  );
  return { envoy, scratch };
}

async function readyAt(envoy: Running, addressFile: string): Promise<string | undefined> {
  if (envoy.hasExited()) throw new Error(`Envoy did not start\n${envoy.log()}`);
  const address = await readFile(addressFile, 'utf8').catch(() => '');
  if (!address) return undefined;
  const answer = await fetch(`http://${address}/ready`).catch(() => undefined);
  return answer?.ok ? `http://${address}` : undefined;
}

async function listenerUrl(adminUrl: string): Promise<string> {
  const answer = await fetch(`${adminUrl}/listeners?format=json`);
  const {
    listener_statuses: [first],
  } = (await answer.json()) as {
    listener_statuses: { local_address: { socket_address: { address: string; port_value: number } } }[];
  };
  if (!first) throw new Error('Envoy has no listener');
  const { address, port_value: port } = first.local_address.socket_address;
  return `http://${address === '0.0.0.0' ? '127.0.0.1' : address}:${port}`;
}
