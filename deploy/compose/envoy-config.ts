import { parseDocument } from 'yaml';
import { configureEnvoy } from '../envoy/configure.ts';

const checkPort = 50_051;
const upstream = { host: 'echo', port: 8_000 };

/**
 * The shipped envoy.yaml with the addresses of docker-compose.yml: it listens on all of its container's, asks these
 * replicas, and sends what they allow to the echo. Its admin port stays on the container's own loopback.
 */
export function envoyConfig(shippedYaml: string, replicas: readonly string[]): string {
  const checkAddress = replicas.map((host) => ({ host, port: checkPort }));
  const document = parseDocument(configureEnvoy(shippedYaml, { checkAddress, upstreamAddress: upstream }));
  const address = ['static_resources', 'listeners', 0, 'address', 'socket_address', 'address'];
  if (!document.hasIn(address)) throw new Error(`Envoy's configuration has no ${address.join('.')}`);
  document.setIn(address, '0.0.0.0');
  return document.toString({ lineWidth: 0 });
}
