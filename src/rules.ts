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
 * only for a path that arrived as its normal form is written. Cost grows with the segments of the path and
 * the rules on the same path, not with all rules.
 */
export function createRules(rules: readonly Rule[]): FindRule {
  if (rules.length === 0) return () => null;
  const byPath = new Map<string, Rule[]>();
  for (const rule of rules) {
    const path = rule.match.path ?? '';
    byPath.set(path, [...(byPath.get(path) ?? []), rule]);
  }
  for (const list of byPath.values()) list.sort((one, other) => specificity(other) - specificity(one));

  return ({ method, host, path }) => {
    const normal = normalisePath(path);
    const asked = { method, host: normaliseHost(host), isNormal: normal === withoutQuery(path) };
    for (const candidate of candidatePaths(normal)) {
      const found = byPath.get(candidate)?.find((rule) => holds(rule, asked));
      if (found !== undefined) return found;
    }
    return null;
  };
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

/** The path itself, then each prefix that it is below, the longest first, then any path. */
function* candidatePaths(path: string): Generator<string> {
  yield path;
  for (
    let slash = path.lastIndexOf('/');
    slash !== -1;
    slash = slash === 0 ? -1 : path.lastIndexOf('/', slash - 1)
  ) {
    yield `${path.slice(0, slash)}/*`;
  }
  if (path !== '') yield '';
}

function holds(rule: Rule, asked: { method: string; host: string; isNormal: boolean }): boolean {
  const { host, methods } = rule.match;
  if (rule.isPublic && !asked.isNormal) return false;
  return (
    (host === undefined || host === asked.host) && (methods === undefined || methods.includes(asked.method))
  );
}

function specificity({ match }: Rule): number {
  return (match.host === undefined ? 0 : 2) + (match.methods === undefined ? 0 : 1);
}

function withoutQuery(path: string): string {
  const end = path.search(/[?#]/);
  return end === -1 ? path : path.slice(0, end);
}
