import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { type Command, InvalidArgumentError } from 'commander';
import { formatListen, type Listen, parseListen, whyNotOpened } from '../../net/listen.ts';
import { createLogger } from '../../telemetry/log.ts';
import { type ConnectionFlags, callingCommands } from '../calls/client.ts';
import { CommandError, exitCodes, type Io } from '../terminal/command.ts';
import { createAdminApi } from './admin-api.ts';

interface ControllerFlags extends ConnectionFlags {
  readonly namespace?: string;
  readonly listen?: TcpListen;
}

type TcpListen = Extract<Listen, { readonly kind: 'tcp' }>;

/** `controller`. */
export function addControllerCommand(program: Command, io: Io): void {
  const description =
    'Makes keys, owners and roles what ApiKeys, ApiKeyOwners and ApiKeyRoles of a Kubernetes cluster ask for, and puts ' +
    'each key into a Secret, until Ctrl-C. Of several controllers one works, by the Lease postern-controller in the ' +
    "namespace of the context. The cluster is KUBECONFIG's, else that of the pod.";
  callingCommands(program)('controller', description, [
    'KUBECONFIG=~/.kube/config postern controller',
    'postern controller --address http://postern.postern:8080 --admin-key-file /etc/postern/secrets/admin-key',
  ])
    .option('--namespace <name>', 'look after ApiKeys of this namespace alone (default: of all)', namespace)
    .option('--listen <host:port>', 'answer /healthz, /readyz and /metrics there (default: nowhere)', tcp)
    .action((flags: ControllerFlags) => control(io, flags));
}

async function control(io: Io, flags: ControllerFlags): Promise<void> {
  // What talks to Kubernetes takes 20 MB, which no other command needs.
  const { connectCluster } = await import('../../controller/cluster/cluster.ts');
  const { createController } = await import('../../controller/controller.ts');
  const { createControllerMetrics, serveHealth } = await import('../../controller/health.ts');
  const admin = await createAdminApi(io, flags);
  const source = sourceOf(io);
  let cluster: ReturnType<typeof connectCluster>;
  try {
    cluster = connectCluster(source);
  } catch (error) {
    throw new CommandError(exitCodes.usage, [
      `${source === 'pod' ? 'the service account of the pod' : 'KUBECONFIG'} cannot be read: ${(error as Error).message}`,
      'Name by KUBECONFIG a file with the cluster and a user of it.',
    ]);
  }

  const stopped = new AbortController();
  io.onStop(() => stopped.abort());
  const log = createLogger('info', { write: (line) => io.stderr.write(line) });
  const metrics = createControllerMetrics(() => controller.isLeading());
  const controller = createController(cluster, admin, {
    namespace: flags.namespace ?? null,
    identity: `${hostname()}_${randomBytes(6).toString('hex')}`,
    log,
    onLook: metrics.looked,
    monotonic: () => io.clock.now(),
  });
  const { listen } = flags;
  const health =
    listen === undefined
      ? null
      : await serveHealth(listen, metrics, () => stopped.signal.aborted).catch((error) => {
          throw new CommandError(exitCodes.usage, [whyNotOpened(listen, String(error))]);
        });
  if (listen !== undefined && health !== null) {
    log.info({ listen: formatListen({ ...listen, port: health.port }) }, 'listening');
  }
  await controller.run(stopped.signal);
  health?.close();
  cluster.close();
}

function sourceOf({ environment }: Io): 'kubeconfig' | 'pod' {
  if (environment.KUBECONFIG) return 'kubeconfig';
  if (environment.KUBERNETES_SERVICE_HOST) return 'pod';
  throw new CommandError(exitCodes.usage, [
    'there is no Kubernetes cluster to look after: KUBECONFIG is not set, and this is no pod',
    'Name by KUBECONFIG a file with the cluster and a user of it.',
  ]);
}

/** An RFC 1123 label. */
function namespace(value: string): string {
  if (/^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/.test(value)) return value;
  throw new InvalidArgumentError('It is not the name of a namespace.');
}

function tcp(value: string): TcpListen {
  const listen = parseListen(value);
  if (listen?.kind === 'tcp') return listen;
  throw new InvalidArgumentError('Write it as 127.0.0.1:8081.');
}
