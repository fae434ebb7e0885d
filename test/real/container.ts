import { randomUUID } from 'node:crypto';
import { createWriteStream, existsSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import type { Running } from './child.ts';

// Loading it takes a quarter of a second, in every worker: only where there is an engine.
const testcontainers = () => import('testcontainers');

/**
 * Why no container can be run here; `undefined` when one can. Answers within 2 s.
 * Only an engine on this very Linux machine will do: the parts listen on the host's own loopback.
 */
export async function dockerProblem(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'host networking is only used on Linux';
  const host = process.env.DOCKER_HOST;
  if (host && !host.startsWith('unix://')) return `DOCKER_HOST=${host} may be another machine`;
  const runtimeFolder = process.env.XDG_RUNTIME_DIR ?? '/run';
  const places = host
    ? [host.slice('unix://'.length)]
    : ['/var/run/docker.sock', `${runtimeFolder}/docker.sock`];
  const socketPath = places.find((place) => existsSync(place));
  if (!socketPath) return `no engine at ${places.join(' or ')}`;
  return await new Promise((resolve) => {
    request({ socketPath, path: '/_ping', timeout: 2_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200 ? undefined : `${socketPath} answers ${response.statusCode}`);
    })
      .on('timeout', () => resolve(`${socketPath} does not answer`))
      .on('error', (error) => resolve(`${socketPath}: ${error.message}`))
      .end();
  });
}

/** Pulls the image unless it is there. Returns why it could not be pulled. */
export async function pullImage(image: string): Promise<string | undefined> {
  try {
    const { getContainerRuntimeClient, ImageName } = await testcontainers();
    const client = await getContainerRuntimeClient();
    await client.image.pull(ImageName.fromString(image));
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/**
 * Starts a command in a container that shares the host's network and the scratch folder, under this user.
 * Testcontainers' reaper ends it when this process dies.
 */
export async function startContainer(
  image: string,
  command: readonly string[],
  scratch: string,
): Promise<Running> {
  const { GenericContainer, getContainerRuntimeClient } = await testcontainers();
  const logFile = join(scratch, `${randomUUID()}.log`);
  const started = await new GenericContainer(image)
    .withNetworkMode('host')
    .withUser(`${process.getuid?.()}:${process.getgid?.()}`)
    .withBindMounts([{ source: scratch, target: scratch }])
    .withEntrypoint([...command.slice(0, 1)])
    .withCommand([...command.slice(1)])
    .withLogConsumer((stream) => stream.pipe(createWriteStream(logFile)))
    .start();
  const container = (await getContainerRuntimeClient()).container.getById(started.getId());
  const { State } = await container.inspect();

  let over = false;
  const exited = container.wait().then(({ StatusCode }: { StatusCode: number }) => {
    over = true;
    return StatusCode;
  });
  return {
    pid: State.Pid,
    exited,
    hasExited: () => over,
    log: () => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : ''),
    async kill(signal) {
      if (!over) await container.kill({ signal });
    },
    async stop() {
      await started.stop();
    },
  };
}
