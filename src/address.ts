import { isIPv4, isIPv6 } from 'node:net';

/** A range of addresses as 128 bits; IPv4 sits where RFC 4291 §2.5.5.2 maps it, `::ffff:0:0/96`. */
interface Network {
  readonly base: bigint;
  readonly mask: bigint;
}

const mapped = 0xffffn << 32n;
const allOnes = (1n << 128n) - 1n;

/**
 * Reads a CIDR block or a single address, IPv4 or IPv6; null when it is neither, or when address bits stand
 * behind the prefix length (`10.0.0.1/8`), which is more often a slip than a wish.
 */
export function parseNetwork(text: string): Network | null {
  const slash = text.indexOf('/');
  const address = parseAddress(slash === -1 ? text : text.slice(0, slash));
  if (address === null) return null;
  if (slash === -1) return { base: address, mask: allOnes };
  const length = text.slice(slash + 1);
  if (!/^(0|[1-9][0-9]{0,2})$/.test(length)) return null;
  const isFour = !text.includes(':');
  const bits = Number(length) + (isFour ? 96 : 0);
  if (bits > 128) return null;
  const mask = (allOnes << BigInt(128 - bits)) & allOnes;
  return (address & mask) === address ? { base: address, mask } : null;
}

/** Whether any of these blocks holds the address; a block or an address that can not be read holds nothing. */
export function isAllowed(allowlist: readonly string[], address: string): boolean {
  const bits = parseAddress(address);
  if (bits === null) return false;
  return allowlist.some((text) => {
    const network = parseNetwork(text);
    return network !== null && (bits & network.mask) === network.base;
  });
}

function parseAddress(text: string): bigint | null {
  if (isIPv4(text)) return mapped | fourBits(text);
  return isIPv6(text) && !text.includes('%') ? sixBits(text) : null;
}

function fourBits(text: string): bigint {
  return text.split('.').reduce((bits, part) => (bits << 8n) | BigInt(Number(part)), 0n);
}

function sixBits(text: string): bigint {
  const [head = '', tail] = text.split('::', 2);
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const gap = new Array<bigint>(8 - left.length - right.length).fill(0n);
  return [...left, ...gap, ...right].reduce((bits, group) => (bits << 16n) | group, 0n);
}

function groups(text: string): bigint[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [BigInt(`0x${group}`)];
    const bits = fourBits(group);
    return [bits >> 16n, bits & 0xffffn];
  });
}
