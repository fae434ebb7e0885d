import { type Command, Option } from 'commander';
import { CommandError, exitCodes, type Io } from '../terminal/command.ts';
import { describe } from '../terminal/describe.ts';
import { type AddressParts, readAddress, readListenAddress, readService } from './addresses.ts';
import { addOutputFlags, type OutputFlags, writeOut } from './output.ts';
import { addInitScheme } from './scheme.ts';
import { type Addresses, fillTemplate } from './template.ts';

interface TargetFlags extends OutputFlags {
  readonly upstream: AddressParts;
  readonly check: AddressParts;
  readonly listen?: AddressParts;
}

/** What a configuration is written for. */
interface Target {
  readonly name: string;
  /** What it is called in a sentence. */
  readonly title: string;
  /** A mesh takes Services of Kubernetes, and listens by itself. */
  readonly isMesh: boolean;
  /** Where Postern answers its Checks, unless told otherwise. */
  readonly check: string;
  readonly render: (addresses: Addresses) => string;
}

const [ofCheck, ofHttpCheck] = ['127.0.0.1:50051', '127.0.0.1:50053'];

const targets: readonly Target[] = [
  {
    ...{ name: 'envoy', title: 'Envoy', isMesh: false, check: ofCheck },
    render: (addresses) => fillTemplate('envoy.yaml', addresses),
  },
  {
    ...{ name: 'istio', title: 'Istio', isMesh: true, check: '' },
    render: (addresses) => fillTemplate('istio.yaml', addresses),
  },
  {
    ...{ name: 'envoy-gateway', title: 'Envoy Gateway', isMesh: true, check: '' },
    render: (addresses) => {
      const isSame = addresses.upstream?.namespace === addresses.check?.namespace;
      const grant = isSame ? '' : fillTemplate('envoy-gateway-grant.yaml', addresses);
      return fillTemplate('envoy-gateway.yaml', addresses) + grant;
    },
  },
  {
    ...{ name: 'nginx', title: 'nginx', isMesh: false, check: ofHttpCheck },
    render: (addresses) => fillTemplate('nginx.conf', addresses),
  },
  {
    ...{ name: 'caddy', title: 'Caddy', isMesh: false, check: ofHttpCheck },
    render: (addresses) => fillTemplate('Caddyfile', addresses),
  },
  {
    ...{ name: 'haproxy', title: 'HAProxy', isMesh: false, check: ofHttpCheck },
    render: (addresses) => fillTemplate('haproxy.cfg', addresses),
  },
];

/** `init`: configurations to begin with, which work as they are. */
export function addInitCommands(program: Command, io: Io): void {
  const init = program.command('init');
  describe(init, 'Prints a configuration to begin with, which works as it is.', [
    'postern init envoy --upstream 127.0.0.1:9000 --output envoy.yaml',
    'postern init istio --upstream orders.shop:8080 --check postern-mesh.postern:50051',
    'postern init scheme --name acme --example-file keys.txt --output postern.yaml',
  ]);
  for (const target of targets) addTarget(init, target, io);
  addInitScheme(init, io);
}

function addTarget(init: Command, { name, title, isMesh, check, render }: Target, io: Io): void {
  const services = '--upstream orders.shop:8080 --check postern-check.postern:50051';
  const examples = isMesh
    ? [`postern init ${name} ${services}`, `postern init ${name} ${services} --output ${name}.yaml`]
    : [`postern init ${name}`, `postern init ${name} --upstream 127.0.0.1:9000 --output ${fileOf(name)}`];
  const description = `Prints a configuration of ${title} that asks Postern about every request.`;
  const command = describe(init.command(name), description, examples);
  if (isMesh) {
    command
      .requiredOption('--upstream <service>', 'the Service to protect, NAME.NAMESPACE:PORT', readService)
      .requiredOption('--check <service>', "the Service of Postern's check.listen", readService);
  } else {
    const address = (flag: string, says: string, read: typeof readAddress, standard: string) =>
      new Option(`${flag} <address>`, says).argParser(read).default(read(standard), standard);
    command
      .addOption(address('--upstream', 'the API to protect, HOST:PORT', readAddress, '127.0.0.1:9000'))
      .addOption(address('--listen', `where ${title} listens`, readListenAddress, '127.0.0.1:10000'))
      .addOption(address('--check', 'where Postern answers its Checks', readAddress, check));
  }
  addOutputFlags(command).action((flags: TargetFlags) => {
    if (flags.listen !== undefined && flags.listen[''] === flags.upstream['']) {
      throw new CommandError(exitCodes.usage, [
        `--upstream is ${flags.upstream['']}, where ${title} itself listens`,
        'Give the address of the API that it protects.',
      ]);
    }
    const { upstream, check: checked, listen } = flags;
    writeOut(io, flags, render({ upstream, check: checked, ...(listen && { listen }) }));
  });
}

/** What a configuration of this kind is usually called. */
function fileOf(name: string): string {
  if (name === 'caddy') return 'Caddyfile';
  return { nginx: 'nginx.conf', haproxy: 'haproxy.cfg' }[name] ?? `${name}.yaml`;
}
