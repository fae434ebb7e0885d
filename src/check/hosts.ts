import { isIPv4, isIPv6, SocketAddress } from 'node:net';

/** Characters of a host name (RFC 1035 §2.3.4): what is longer is none. */
const hostLengthMax = 253;
const label = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** Lower case, without port and without the root's dot; an IPv6 address in its shortest form, in brackets. */
export function normaliseHost(host: string): string {
  const bare = host.toLowerCase().replace(/:\d*$/, '').replace(/\.$/, '');
  return bare.startsWith('[') ? (shortest(bare) ?? bare) : bare;
}

/**
 * The host of a rule as requests are compared with it: a name, `*.` and a name for all below it, or an IP address, of
 * IPv6 in brackets. Null for anything else.
 */
export function readHost(given: string): string | null {
  const lower = given.toLowerCase();
  if (lower.startsWith('[')) return shortest(lower);
  const isWildcard = lower.startsWith('*.');
  const name = (isWildcard ? lower.slice(2) : lower).replace(/\.$/, '');
  if (name.length > hostLengthMax) return null;
  const labels = name.split('.');
  if (!labels.every((part) => label.test(part))) return null;
  // What ends in a number is an IPv4 address or nothing (WHATWG URL, "ends in a number").
  if (/^[0-9]+$/.test(labels.at(-1) ?? '') && (isWildcard || !isIPv4(name))) return null;
  return isWildcard ? `*.${name}` : name;
}

/** The wildcards that a host is below, the longest first, as far as `known` has them. */
export function wildcardsOf(host: string, known: ReadonlySet<string>): string[] {
  if (known.size === 0 || host.length > hostLengthMax) return [];
  const found: string[] = [];
  // A dot at the beginning has nothing before it.
  for (let dot = host.indexOf('.', 1); dot !== -1; dot = host.indexOf('.', dot + 1)) {
    const wildcard = `*${host.slice(dot)}`;
    if (known.has(wildcard)) found.push(wildcard);
  }
  return found;
}

function shortest(bracketed: string): string | null {
  const address = /^\[([^[\]%]*)\]$/.exec(bracketed)?.[1] ?? '';
  return isIPv6(address) ? `[${new SocketAddress({ address, family: 'ipv6' }).address}]` : null;
}
