import { mkdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { configureEnvoy } from '../../../deploy/envoy/configure.ts';
import { findMongod } from '../../real/binary.ts';
import { type Running, start } from '../../real/child.ts';
import { type Envoy, startEnvoy } from '../../real/envoy.ts';
import { freePort } from '../../real/port.ts';
import { type Postern, startPostern } from '../../real/postern.ts';
import { until } from '../../real/until.ts';
import type { ComposeFile } from './compose-file.ts';
import { repository } from './image-tree.ts';

/** The parts of docker-compose.yml, each a process of its own on loopback. */
export interface ComposeStack {
  /** Where the volume `secrets` is. */
  readonly secrets: string;
  readonly mongoPort: number;
  readonly posterns: readonly Postern[];
  readonly envoy: Envoy;
  /** Runs a service that ends by itself; resolves to what it printed, rejects where it fails. */
  runOnce(service: string): Promise<string>;
  stop(): Promise<void>;
}

/** Starts them in the file's order, by the file's own commands and environments: only addresses and folders differ. */
export async function startCompose(file: ComposeFile): Promise<ComposeStack> {
  const scratch = await mkdtemp(join(tmpdir(), 'postern-compose-'));
  const parts: { stop(): Promise<void> }[] = [];
  const keep = <T extends { stop(): Promise<void> }>(part: T): T => {
    parts.push(part);
    return part;
  };
  const stop = async () => {
    for (const part of parts.toReversed()) await part.stop();
    await rm(scratch, { recursive: true, force: true });
  };
  try {
    const ports = { mongo: await freePort(), echo: await freePort() };
    const addresses = { postern: '', edge: '' };
    const here = (text: string) => place(text, scratch, ports, addresses);
    const runOnce = (service: string) => runScript(file, service, here, scratch);
    for (const folder of ['secrets', 'envoy', 'db']) mkdirSync(join(scratch, folder));

    await runOnce('setup');
    keep(await startMongod(file, here, scratch, ports.mongo));
    await runOnce('replica-set');
    const posterns = [];
    for (const name of ['postern-0', 'postern-1']) posterns.push(keep(await replica(file, name, here)));
    const echoArgs = scriptArgs(file, 'echo', here).map((word) => (word === '8000' ? `${ports.echo}` : word));
    keep(await start({ path: process.execPath }, echoArgs, scratch));
    const envoy = keep(await startEdge(scratch, posterns, ports.echo));
    addresses.postern = posterns[0]?.url ?? '';
    addresses.edge = envoy.url;
    return { secrets: join(scratch, 'secrets'), mongoPort: ports.mongo, posterns, envoy, runOnce, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What stands here for a word of the file. */
function place(
  text: string,
  scratch: string,
  ports: { readonly mongo: number },
  addresses: { readonly postern: string; readonly edge: string },
): string {
  return text
    .replace('/run/postern', join(scratch, 'secrets'))
    .replace('/etc/envoy', join(scratch, 'envoy'))
    .replace('/app/', repository)
    .replace(/^mongo:27017$/, `127.0.0.1:${ports.mongo}`)
    .replace(/^27017$/, String(ports.mongo))
    .replace(/^http:\/\/postern-0:8080$/, addresses.postern)
    .replace(/^http:\/\/127\.0\.0\.1:10000$/, addresses.edge);
}

function scriptArgs(file: ComposeFile, service: string, here: (text: string) => string): string[] {
  const { entrypoint = [], command = [] } = file.services[service] ?? {};
  const [program, ...args] = [...entrypoint, ...command];
  if (program !== 'node') throw new Error(`${service} does not run a script`);
  return args.map(here);
}

async function runScript(
  file: ComposeFile,
  service: string,
  here: (text: string) => string,
  scratch: string,
): Promise<string> {
  const script = await start({ path: process.execPath }, scriptArgs(file, service, here), scratch);
  const code = await script.exited;
  if (code !== 0) throw new Error(`${service} ends with ${code}\n${script.log()}`);
  return script.log();
}

async function startMongod(
  file: ComposeFile,
  here: (text: string) => string,
  scratch: string,
  port: number,
): Promise<Running> {
  const [program, ...args] = file.services.mongo?.command ?? [];
  if (program !== 'mongod') throw new Error('mongo does not run mongod');
  const mapped = args.map((word) => (word === '--bind_ip_all' ? '--bind_ip=127.0.0.1' : here(word)));
  const own = ['--port', `${port}`, '--dbpath', join(scratch, 'db'), '--nounixsocket'];
  const small = ['--wiredTigerCacheSizeGB', '0.25'];
  return start(await findMongod(), [...mapped, ...own, ...small], scratch);
}

function replica(file: ComposeFile, name: string, here: (text: string) => string): Promise<Postern> {
  const environment = Object.entries(file.services[name]?.environment ?? {});
  const settings = environment.map(([variable, value]) => {
    const text = value.replace(/^0\.0\.0\.0:\d+$/, '127.0.0.1:0');
    return [variable, here(text)];
  });
  // Each has a form of its own for files, and none of them stands beside it.
  return startPostern({ POSTERN_STORE: '', POSTERN_ADMIN_KEY: '', ...Object.fromEntries(settings) });
}

async function startEdge(scratch: string, posterns: readonly Postern[], echoPort: number): Promise<Envoy> {
  const made = readFileSync(join(scratch, 'envoy/envoy.yaml'), 'utf8');
  const configYaml = configureEnvoy(made, {
    ...{ listenPort: 0, adminPort: 0, checkTimeoutMs: 15_000 },
    checkAddress: posterns.map(({ check }) => check),
    upstreamAddress: { host: '127.0.0.1', port: echoPort },
  }).replace('address: 0.0.0.0', 'address: 127.0.0.1');
  const envoy = await startEnvoy({ configYaml });
  await until('the echo answers through Envoy', async () => {
    const { status } = await fetch(`${envoy.url}/public/`);
    return status === 200;
  });
  return envoy;
}
