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

/** Blocks of addresses that were read and put in order, for as long as their list lives. */
const sorted = new WeakMap<readonly string[], Blocks>();

/**
 * Whether any of these blocks holds the address; a block or an address that cannot be read holds nothing. The
 * list is read once and then searched by halves; it must not change.
 */
export function isAllowed(allowlist: readonly string[], address: string): boolean {
  let blocks = sorted.get(allowlist);
  if (blocks === undefined) {
    blocks = sortBlocks(allowlist);
    sorted.set(allowlist, blocks);
  }
  const four = parseFour(address);
  if (four !== null) return holds(blocks.firstFours, blocks.lastFours, four);
  const bits = parseAddress(address);
  return bits !== null && holds(blocks.firsts, blocks.lasts, bits);
}

/** Ranges that neither overlap nor touch, ascending, by their first and last addresses. */
interface Blocks {
  readonly firsts: readonly bigint[];
  readonly lasts: readonly bigint[];
  /** What they hold of IPv4, in numbers, which take a tenth of the time. */
  readonly firstFours: readonly number[];
  readonly lastFours: readonly number[];
}

function sortBlocks(allowlist: readonly string[]): Blocks {
  const networks = allowlist.map(parseNetwork).filter((network) => network !== null);
  networks.sort((one, other) => (one.base < other.base ? -1 : one.base > other.base ? 1 : 0));
  const firsts: bigint[] = [];
  const lasts: bigint[] = [];
  for (const { base, mask } of networks) {
    const last = base | (allOnes ^ mask);
    const lastBefore = lasts.at(-1);
    if (lastBefore !== undefined && base <= lastBefore + 1n) {
      if (last > lastBefore) lasts[lasts.length - 1] = last;
    } else {
      firsts.push(base);
      lasts.push(last);
    }
  }
  const firstFours: number[] = [];
  const lastFours: number[] = [];
  for (const [at, first] of firsts.entries()) {
    const last = lasts[at] ?? first;
    if (last < mapped || first > mapped + 0xffff_ffffn) continue;
    firstFours.push(first < mapped ? 0 : Number(first - mapped));
    lastFours.push(last > mapped + 0xffff_ffffn ? 0xffff_ffff : Number(last - mapped));
  }
  return { firsts, lasts, firstFours, lastFours };
}

function holds<Bits extends number | bigint>(
  firsts: readonly Bits[],
  lasts: readonly Bits[],
  bits: Bits,
): boolean {
  let [low, high] = [0, firsts.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((firsts[middle] as Bits) <= bits) low = middle + 1;
    else high = middle;
  }
  return low > 0 && bits <= (lasts[low - 1] as Bits);
}

/** An IPv4 address as a number: the forms that `isIPv4` takes, which are four decimals without leading zeros. */
function parseFour(text: string): number | null {
  let bits = 0;
  let part = -1;
  let parts = 1;
  for (let at = 0; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit === -2) {
      if (part === -1 || parts === 4) return null;
      bits = bits * 256 + part;
      part = -1;
      parts++;
    } else if (digit < 0 || digit > 9 || part === 0) return null;
    else {
      part = part === -1 ? digit : part * 10 + digit;
      if (part > 255) return null;
    }
  }
  return parts === 4 && part !== -1 ? bits * 256 + part : null;
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
