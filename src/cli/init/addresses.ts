import { isIPv4, isIPv6 } from 'node:net';
import { InvalidArgumentError } from 'commander';
import { formatListen, parseListen } from '../../net/listen.ts';

/** What a template says of an address, by the names that its placeholders have. */
export type AddressParts = Readonly<Record<'' | 'host' | 'port' | 'service' | 'namespace', string>>;

const hostName = /^(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?$/;
const label = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
const service = new RegExp(`^(${label})\\.(${label})(?:\\.svc(?:\\.cluster\\.local)?)?$`);

/** `HOST:PORT`, by a name or an IP address; throws Commander's error for anything else. */
export function readAddress(text: string): AddressParts {
  const { host, port } = hostAndPort(text);
  const isName = hostName.test(host) && !host.includes('..') && !/(?:^|\.)[0-9]+$/.test(host);
  if (!isName && !isIPv4(host) && !isIPv6(host)) throw wrong('HOST:PORT, such as 127.0.0.1:9000');
  return partsOf(host, port);
}

/** `ADDRESS:PORT` that a proxy can listen on: by an IP address, since Envoy looks up no name for it. */
export function readListenAddress(text: string): AddressParts {
  const { host: given, port } = hostAndPort(text);
  const host = given === 'localhost' ? '127.0.0.1' : given;
  if (!isIPv4(host) && !isIPv6(host)) throw wrong('an IP address and a port, such as 127.0.0.1:10000');
  return partsOf(host, port);
}

/** `NAME.NAMESPACE:PORT`, a Service of Kubernetes. */
export function readService(text: string): AddressParts {
  const { host, port } = hostAndPort(text, 'NAME.NAMESPACE:PORT, such as orders.shop:8080');
  const [, name, namespace] = service.exec(host) ?? [];
  if (name === undefined || namespace === undefined) {
    throw wrong('a Service as NAME.NAMESPACE:PORT, such as orders.shop:8080');
  }
  return { ...partsOf(`${name}.${namespace}`, port), service: name, namespace };
}

function hostAndPort(
  text: string,
  expected = 'HOST:PORT, such as 127.0.0.1:9000',
): { host: string; port: number } {
  const address = parseListen(text);
  if (address?.kind !== 'tcp' || address.port === 0) throw wrong(expected);
  return address;
}

function partsOf(host: string, port: number): AddressParts {
  const whole = formatListen({ kind: 'tcp', host, port });
  return { '': whole, host, port: String(port), service: '', namespace: '' };
}

function wrong(expected: string): InvalidArgumentError {
  return new InvalidArgumentError(`Expected ${expected}.`);
}
