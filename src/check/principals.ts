import { isIPv4 } from 'node:net';
import { readHost, wildcardsOf } from './hosts.ts';

/** Bytes of a SPIFFE id, and so of what is below one. */
export const principalLengthMax = 2_048;

/** SPIFFE-ID §2: a trust domain, and segments of a path, none of which is empty, `.` or `..`. */
const spiffeId = /^spiffe:\/\/[a-z0-9._-]{1,255}(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)*$/;

/**
 * What is wrong with an entry of a key's `principals`, in words for the one who wrote it; null for a SPIFFE URI, one
 * with `/*` behind it, a DNS name, or `*.` and one.
 */
export function principalFault(entry: string): string | null {
  if (entry === '*') return 'is every caller: leave principals empty for that';
  if (entry.startsWith('spiffe://')) {
    const id = entry.endsWith('/*') ? entry.slice(0, -2) : entry;
    return isSpiffeId(id) ? null : 'is not a SPIFFE URI, as spiffe://cluster.local/ns/shop/sa/web is one';
  }
  const isName = readDnsName(entry) !== null && !entry.endsWith('.');
  return isName ? null : 'is neither a SPIFFE URI, as spiffe://cluster.local/ns/shop/sa/web, nor a DNS name';
}

/** Lists that were read, for as long as they live. */
const readLists = new WeakMap<readonly string[], Callers>();

/** Who may come. */
interface Callers {
  /** SPIFFE URIs and DNS names, `*.` and a name among them. */
  readonly exact: ReadonlySet<string>;
  /** What SPIFFE URIs begin with, up to a slash. */
  readonly above: readonly string[];
}

/**
 * Whether any of these entries matches the caller whom a certificate names. Anything but a SPIFFE URI and a DNS name,
 * as the subject that Envoy tells where a certificate has neither, matches none. The list is read once: it must not
 * change.
 */
export function isAllowedPrincipal(principals: readonly string[], principal: string): boolean {
  let callers = readLists.get(principals);
  if (callers === undefined) {
    callers = readCallers(principals);
    readLists.set(principals, callers);
  }
  const { exact, above } = callers;
  if (isSpiffeId(principal))
    return exact.has(principal) || above.some((beginning) => principal.startsWith(beginning));
  const name = readDnsName(principal);
  return name !== null && (exact.has(name) || wildcardsOf(name, exact).length > 0);
}

/** Entries that cannot be read match nobody. */
function readCallers(principals: readonly string[]): Callers {
  const readable = principals.filter((entry) => principalFault(entry) === null);
  const [above, exact] = [readable.filter(isAbove), readable.filter((entry) => !isAbove(entry))];
  return {
    exact: new Set(exact.map((entry) => readDnsName(entry) ?? entry)),
    above: above.map((entry) => entry.slice(0, -1)),
  };
}

function isAbove(entry: string): boolean {
  return entry.endsWith('/*');
}

function isSpiffeId(text: string): boolean {
  return text.length <= principalLengthMax && spiffeId.test(text);
}

/** In lower case; null for what is no name, or an address. */
function readDnsName(text: string): string | null {
  const host = readHost(text);
  return host === null || host.startsWith('[') || isIPv4(host) ? null : host;
}
