/**
 * What a route asks for, by method, host and path, for meshes that can not say it themselves. A rule's
 * members have the meaning of Envoy's `context_extensions` of the same names.
 */
export interface Rule {
  readonly match: {
    /** Lower case, without a port; absent for any. */
    readonly host?: string;
    /** Upper case; absent for any. */
    readonly methods?: readonly string[];
    /** A normal path, or a prefix of one ending in `/*`, which takes what is below it; absent for any. */
    readonly path?: string;
  };
  readonly permissions: readonly string[];
  readonly scheme?: string;
  readonly environment?: string;
  readonly cost?: number;
  readonly isPublic: boolean;
}

/** Finds the one rule that holds for a request; null when none does. */
export type FindRule = (request: {
  readonly method: string;
  readonly host: string;
  readonly path: string;
}) => Rule | null;

/**
 * The most specific rule holds: an exact path before a prefix, a longer prefix before a shorter, any path
 * last; then a named host before any, then a named method before any; then the first. A public rule holds
 * only for a path that arrived as its normal form is written. Cost grows with the segments of the path that
 * rules name, not with the rules.
 */
export function createRules(rules: readonly Rule[]): FindRule {
  if (rules.length === 0) return () => null;
  const root = createNode(null);
  const anyPath = createSite();
  for (const rule of rules)
    addRule(rule.match.path === undefined ? anyPath : siteOf(root, rule.match.path), rule);

  return ({ method, host, path }) => {
    const bare = withoutQuery(path);
    const normal = normalisePath(bare);
    const asked = { method, host: normaliseHost(host), isNormal: normal === bare };
    return (normal === '' ? null : ruleBelow(root, normal, asked)) ?? ruleAt(anyPath, asked);
  };
}

interface Asked {
  readonly method: string;
  readonly host: string;
  readonly isNormal: boolean;
}

/** The rules on one path by host, then by method; null for any. */
type Site = Map<string | null, Map<string | null, FirstRules>>;

/** Those that were written first, of which one is not open. */
interface FirstRules {
  first: Rule;
  closed: Rule | null;
}

/** A path as far as one of its segments. */
interface PathNode {
  readonly parent: PathNode | null;
  readonly next: Map<string, PathNode>;
  /** Of the path itself. */
  readonly exact: Site;
  /** Of all that is below it. */
  readonly below: Site;
}

function createNode(parent: PathNode | null): PathNode {
  return { parent, next: new Map(), exact: createSite(), below: createSite() };
}

function createSite(): Site {
  return new Map();
}

function siteOf(root: PathNode, path: string): Site {
  const isPrefix = path.endsWith('/*');
  let node = root;
  for (const segment of path
    .slice(0, isPrefix ? -2 : undefined)
    .split('/')
    .slice(1)) {
    const known = node.next.get(segment);
    const next = known ?? createNode(node);
    if (known === undefined) node.next.set(segment, next);
    node = next;
  }
  return isPrefix ? node.below : node.exact;
}

function addRule(site: Site, rule: Rule): void {
  const host = rule.match.host ?? null;
  const ofHost = site.get(host) ?? new Map<string | null, FirstRules>();
  site.set(host, ofHost);
  const closed = isOpen(rule) ? null : rule;
  for (const method of rule.match.methods ?? [null]) {
    const known = ofHost.get(method);
    if (known === undefined) ofHost.set(method, { first: rule, closed });
    else known.closed ??= closed;
  }
}

/** One that asks for permissions asks for a key, public or not. */
function isOpen({ isPublic, permissions }: Rule): boolean {
  return isPublic && permissions.length === 0;
}

function ruleBelow(root: PathNode, path: string, asked: Asked): Rule | null {
  let node: PathNode = root;
  let at = 1;
  // Past its last segment a path begins again after where its next slash would be.
  while (at <= path.length) {
    const slash = path.indexOf('/', at);
    const end = slash === -1 ? path.length : slash;
    const next = node.next.get(path.slice(at, end));
    if (next === undefined) break;
    node = next;
    at = end + 1;
  }
  const isWhole = at > path.length;
  const exact = isWhole ? ruleAt(node.exact, asked) : null;
  if (exact !== null) return exact;
  for (let above = isWhole ? node.parent : node; above !== null; above = above.parent) {
    const found = ruleAt(above.below, asked);
    if (found !== null) return found;
  }
  return null;
}

function ruleAt(site: Site, asked: Asked): Rule | null {
  if (site.size === 0) return null;
  return ruleOfHost(site.get(asked.host), asked) ?? ruleOfHost(site.get(null), asked);
}

function ruleOfHost(ofHost: ReadonlyMap<string | null, FirstRules> | undefined, asked: Asked): Rule | null {
  if (ofHost === undefined) return null;
  const [named, any] = [ofHost.get(asked.method), ofHost.get(null)];
  if (asked.isNormal) return named?.first ?? any?.first ?? null;
  return named?.closed ?? any?.closed ?? null;
}

/**
 * The path that is meant, as RFC 3986 §6.2.2 has it, without the query: unreserved characters decoded,
 * escapes in upper case, dot segments removed; also slashes merged, whatever some server takes for a slash
 * (`%2F`, `\`, `%5C`) turned into one, and segments cut at `;`, as servlet containers do before they look for
 * a route. Empty for what is no path, such as that of CONNECT.
 */
export function normalisePath(path: string): string {
  const bare = withoutQuery(path);
  if (!bare.startsWith('/')) return '';
  // Most paths are as they should be: 0.1 µs here for 0.6 below.
  if (!/[%\\;]|\/[/.]/.test(bare)) return bare;
  const decoded = bare.replace(/%[0-9a-fA-F]{2}|\\/g, (found) => {
    if (found === '\\') return '/';
    const character = String.fromCharCode(Number.parseInt(found.slice(1), 16));
    if (/[A-Za-z0-9._~-]/.test(character)) return character;
    if (character === '/' || character === '\\') return '/';
    return character === ';' ? ';' : found.toUpperCase();
  });
  const kept: string[] = [];
  const segments = decoded
    .split('/')
    .slice(1)
    .map((segment) => segment.replace(/;.*$/s, ''));
  for (const [index, segment] of segments.entries()) {
    const isName = !['', '.', '..'].includes(segment);
    if (segment === '..') kept.pop();
    if (isName) kept.push(segment);
    else if (index === segments.length - 1) kept.push('');
  }
  return `/${kept.join('/')}`;
}

/** Lower case, without port and without the root's dot. */
export function normaliseHost(host: string): string {
  return host.toLowerCase().replace(/:\d*$/, '').replace(/\.$/, '');
}

function withoutQuery(path: string): string {
  const end = path.search(/[?#]/);
  return end === -1 ? path : path.slice(0, end);
}
