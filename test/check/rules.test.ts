import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normaliseHost, readHost } from '../../src/check/hosts.ts';
import { createFindRoute } from '../../src/check/route.ts';
import { createRules, normalisePath, type Rule } from '../../src/check/rules.ts';
import { readPresets } from '../../src/presets/read.ts';
import type { Scheme } from '../../src/schemes/scheme.ts';
import { accessRequest } from '../requests.ts';

describe('normalisePath', () => {
  it.each([
    ['/', '/'],
    ['/a/b', '/a/b'],
    ['/a/b/', '/a/b/'],
    ['/a?b=/../c#d', '/a'],
    ['/a#b', '/a'],
    ['//a///b//', '/a/b/'],
    ['/a/./b/.', '/a/b/'],
    ['/a/../b', '/b'],
    ['/a/b/..', '/a/'],
    ['/../../a', '/a'],
    ['/a/%2e%2E/b', '/b'],
    ['/a/.%2e/b', '/b'],
    ['/a%2fb', '/a/b'],
    ['/a%2F..%2Fb', '/b'],
    ['/a\\b', '/a/b'],
    ['/a%5c..\\b', '/b'],
    ['/a/..;/b', '/b'],
    ['/a/..;x=1/b', '/b'],
    ['/a/..%3b/b', '/b'],
    ['/a;x=1/b', '/a/b'],
    ['/a/b;x', '/a/b'],
    ['/a/;x', '/a/'],
    ['/%61%7E', '/a~'],
    ['/%c3%a9', '/%C3%A9'],
    ['/%252e%252e', '/%252e%252e'],
    ['/a%zz%', '/a%zz%'],
    ['/...', '/...'],
    ['/.a', '/.a'],
    ['', ''],
    ['*', ''],
    ['example.com:443', ''],
  ])('reads %s as %s', (path, normal) => {
    expect(normalisePath(path)).toBe(normal);
  });

  it('leaves what is normal as it is', () => {
    fc.assert(
      fc.property(paths, (path) => {
        fc.pre(!/%(?![0-9a-fA-F]{2})/.test(path));
        expect(normalisePath(normalisePath(path))).toBe(normalisePath(path));
      }),
    );
  });
});

describe('normaliseHost', () => {
  it.each([
    ['API.Example.com', 'api.example.com'],
    ['api.example.com:8443', 'api.example.com'],
    ['api.example.com.', 'api.example.com'],
    ['api.example.com.:443', 'api.example.com'],
    ['[2001:DB8::1]:443', '[2001:db8::1]'],
    ['[2001:db8::1]', '[2001:db8::1]'],
    ['[2001:db8:0:0::0001]:80', '[2001:db8::1]'],
    ['[rubbish]:1', '[rubbish]'],
    ['', ''],
  ])('reads %s as %s', (host, normal) => {
    expect(normaliseHost(host)).toBe(normal);
  });
});

describe('the host of a rule', () => {
  it.each([
    ['API.Example.com', 'api.example.com'],
    ['api.example.com.', 'api.example.com'],
    ['*.Example.com', '*.example.com'],
    ['*.example.com.', '*.example.com'],
    ['localhost', 'localhost'],
    ['*.local', '*.local'],
    ['my_service.ns', 'my_service.ns'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['10.0.0.1', '10.0.0.1'],
    ['[2001:DB8:0::1]', '[2001:db8::1]'],
    ['1.example', '1.example'],
    [`${'a'.repeat(63)}.example`, `${'a'.repeat(63)}.example`],
  ])('reads %s as %s', (given, host) => {
    expect(readHost(given)).toBe(host);
    if (!host.startsWith('*')) expect(normaliseHost(given)).toBe(host);
  });

  it.each([
    ...[
      'https://a.example',
      'a.example/x',
      'a b.example',
      'a.example:8443',
      'a.example:',
      '*',
      '*.',
      '**.a',
      '*a.b',
    ],
    ...[
      'a.*.b',
      '*.*.a',
      'a..b',
      '.a',
      'a..',
      '',
      '.',
      ' a',
      'a\n',
      '-a.example',
      'a-.example',
      'bücher.example',
    ],
    ...[
      '10.0.0',
      '10.0.0.256',
      '*.0.0.1',
      'a.1',
      '::1',
      '[::1]:80',
      '[::1',
      '[1.2.3.4]',
      '[fe80::1%eth0]',
      'u@a.b',
    ],
    ...[
      `${'a'.repeat(64)}.example`,
      Array.from({ length: 64 }, () => 'abcd').join('.'),
      'a.example?x',
      'a.example#',
    ],
  ])('is not %s', (given) => {
    expect(readHost(given)).toBeNull();
  });
});

describe('a rule', () => {
  it("for a host's own name comes before a wildcard, a longer wildcard before a shorter, and either before any", () => {
    const find = named({
      any: { path: '/*' },
      short: { path: '/*', host: '*.example.com' },
      long: { path: '/*', host: '*.api.example.com' },
      exact: { path: '/*', host: 'v1.api.example.com' },
      posts: { path: '/*', host: '*.example.com', methods: ['POST'] },
    });
    expect(find('/', { host: 'V1.api.example.com:8443' })).toBe('exact');
    expect(find('/', { host: 'v2.api.example.com.' })).toBe('long');
    expect(find('/', { host: 'a.b.c.api.example.com' })).toBe('long');
    expect(find('/', { host: 'api.example.com' })).toBe('short');
    expect(find('/', { host: 'api.example.com', method: 'POST' })).toBe('posts');
    for (const host of ['example.com', '.example.com', 'notexample.com', 'example.com.evil', '', '[::1]'])
      expect([host, find('/', { host })]).toEqual([host, 'any']);
    expect(find('/', { host: `${'a.'.repeat(50_000)}example.com` })).toBe('any');
  });

  it('for preflights alone comes before every other, and holds for nothing else', () => {
    const find = named({
      path: { path: '/a/b', host: 'api.example.com', methods: ['OPTIONS'] },
      preflight: { preflight: true, isPublic: true },
      deeper: { path: '/deep/*', preflight: true },
    });
    const origin = ['origin', 'https://app.example'] as const;
    const asked = ['access-control-request-method', 'PUT'] as const;
    expect(find('/a/b', { method: 'OPTIONS', headers: [origin, asked] })).toBe('preflight');
    expect(find('/deep/x', { method: 'OPTIONS', headers: [origin, asked] })).toBe('deeper');
    expect(find('/a/b', { method: 'OPTIONS', headers: [origin] })).toBe('path');
    expect(find('/a/b', { method: 'OPTIONS', headers: [asked] })).toBe('path');
    expect(find('/a/b', { method: 'OPTIONS', headers: [['origin', ''], asked] })).toBe('path');
    expect(find('/a/b', { method: 'GET', headers: [origin, asked] })).toBeNull();
    expect(find('/a/../b', { method: 'OPTIONS', headers: [origin, asked] })).toBeNull();
  });

  it('for an exact path comes before a prefix, a longer prefix before a shorter, any path last', () => {
    const find = named({
      exact: { path: '/a/b/c' },
      long: { path: '/a/b/*' },
      short: { path: '/a/*' },
      root: { path: '/*' },
      any: { methods: ['GET', 'CONNECT'] },
    });
    expect(find('/a/b/c')).toBe('exact');
    expect(find('/a/b/c/')).toBe('long');
    expect(find('/a/b/')).toBe('long');
    expect(find('/a/b')).toBe('short');
    expect(find('/a')).toBe('root');
    expect(find('', { method: 'CONNECT' })).toBe('any');
  });

  it('for a path comes before one for a host, a host before a method, the first of equals before the rest', () => {
    const find = named({
      host: { host: 'api.example.com' },
      anyFirst: { methods: ['GET'] },
      path: { path: '/a/*' },
      pathMethod: { path: '/a/*', methods: ['POST', 'PUT'] },
      pathHost: { path: '/a/*', host: 'other.example.com' },
      pathBoth: { path: '/a/*', host: 'other.example.com', methods: ['POST'] },
      pathAgain: { path: '/a/*' },
    });
    expect(find('/b')).toBe('host');
    expect(find('/b', { host: 'x' })).toBe('anyFirst');
    expect(find('/b', { host: 'x', method: 'POST' })).toBeNull();
    expect(find('/a/')).toBe('path');
    expect(find('/a/', { method: 'PUT' })).toBe('pathMethod');
    expect(find('/a/', { host: 'OTHER.example.com:80' })).toBe('pathHost');
    expect(find('/a/', { host: 'other.example.com', method: 'POST' })).toBe('pathBoth');
  });

  it('that is public leaves a path that is not normal to the next that holds', () => {
    const find = named({
      open: { path: '/open/*', isPublic: true },
      closed: { path: '/open/*' },
      rest: { path: '/*' },
    });
    expect(find('/open/a')).toBe('open');
    expect(find('/open/a?b=/../c')).toBe('open');
    expect(find('//open/a')).toBe('closed');
    expect(find('/open/%61')).toBe('closed');
    expect(find('/open/a;b')).toBe('closed');
    expect(find('/open/../a')).toBe('rest');
  });

  it('is the one that a look at all of them finds, whatever the path', () => {
    fc.assert(
      fc.property(ruleSets, paths, hosts, methods, (rules, path, host, method) => {
        expect(createRules(rules)(accessRequest({ path, host, method }))).toBe(
          reference(rules, { path, host, method }),
        );
      }),
      { numRuns: 3_000 },
    );
  });

  it('that is public never holds for a path that could be meant otherwise', () => {
    fc.assert(
      fc.property(ruleSets, paths, hosts, methods, (rules, path, host, method) => {
        const [bare = ''] = path.split(/[?#]/);
        const isDoubtful =
          /\/\/|\\|;|%(?:2f|5c|3b|2e|2d|5f|7e|3[0-9]|[46][1-9a-f]|[57][0-9a])/i.test(bare) ||
          bare.split('/').some((segment) => segment === '.' || segment === '..');
        fc.pre(isDoubtful);
        expect(createRules(rules)(accessRequest({ path, host, method }))?.isPublic ?? false).toBe(false);
      }),
      { numRuns: 3_000 },
    );
  });
});

describe('a route', () => {
  const schemes = [...readPresets().values()] as [Scheme, ...Scheme[]];
  const rule: Rule = {
    match: { path: '/a/*' },
    permissions: ['read:a', 'both'],
    scheme: 'mira, mavera',
    environment: 'test',
    cost: 5,
    isPublic: false,
  };
  const routeOf = (context: Record<string, string>, given: Partial<Rule> = {}) => {
    const findRule = createRules([{ ...rule, ...given }]);
    const findRoute = createFindRoute({ schemes, environment: 'live', findRule });
    const { route } = findRoute(accessRequest({ path: '/a/b', context }));
    return { ...route, schemes: route.schemes.map(({ name }) => name) };
  };

  it('asks for what its rule says', () => {
    expect(routeOf({})).toEqual({
      isPublic: false,
      mode: null,
      cleartext: null,
      schemes: ['mira', 'mavera'],
      environment: 'test',
      permissions: ['read:a', 'both'],
      cost: 5,
    });
  });

  it('asks for what Envoy says in place of the rule, word by word, and for the permissions of both', () => {
    expect(routeOf({ scheme: 'converra' })).toMatchObject({
      schemes: ['converra'],
      environment: 'test',
      cost: 5,
    });
    expect(routeOf({ environment: 'live' })).toMatchObject({
      schemes: ['mira', 'mavera'],
      environment: 'live',
    });
    expect(routeOf({ cost: '0' })).toMatchObject({ cost: 0 });
    expect(routeOf({ permissions: 'write:a, both' }).permissions.toSorted()).toEqual([
      'both',
      'read:a',
      'write:a',
    ]);
    const open = { isPublic: true, permissions: [] };
    expect(routeOf({ public: 'true' }, { permissions: [] }).isPublic).toBe(true);
    expect(routeOf({ public: 'false' }, open).isPublic).toBe(false);
    expect(routeOf({}, open).isPublic).toBe(true);
  });

  it('is not public where it asks for permissions, whichever of rule and context says either', () => {
    const open = { isPublic: true, permissions: [] };
    expect(routeOf({ public: 'true', permissions: 'a' }, { permissions: [] }).isPublic).toBe(false);
    expect(routeOf({ public: 'true' }).isPublic).toBe(false);
    expect(routeOf({ permissions: 'a' }, open)).toMatchObject({ isPublic: false, permissions: ['a'] });
    expect(routeOf({}, { isPublic: true }).isPublic).toBe(false);
  });
});

const pieces = ['a', 'b', 'open', '/', '//', '/.', '/..', '.', '%2e', '%2E', '%2f', '%2F', '%5c', '\\'];
const oddPieces = [
  ';',
  ';x=1',
  '%3b',
  '%61',
  '%5A',
  '%7e',
  '%',
  '%zz',
  '%25',
  '%20',
  'é',
  '*',
  '?q=/../',
  '#',
];
const paths = fc
  .tuple(
    fc.constantFrom('/', '/', '/', '/a/', '/open/', ''),
    fc.array(fc.constantFrom('/', ...pieces, ...oddPieces), { maxLength: 7 }),
  )
  .map(([start, rest]) => start + rest.join(''));
const hosts = fc.constantFrom(
  ...['api.example.com', 'API.example.com:443', 'v1.api.example.com.', 'b.example', 'x.b.example:80', ''],
);
const methods = fc.constantFrom('GET', 'POST', 'CONNECT');

const ruleSets = fc.array(
  fc
    .record(
      {
        path: fc.constantFrom(
          '/',
          '/*',
          '/a',
          '/a/',
          '/a/*',
          '/a/b',
          '/a/b/*',
          '/open/*',
          '/open',
          '/a/open/*',
        ),
        host: fc.constantFrom(
          'api.example.com',
          'b.example',
          '*.example.com',
          '*.api.example.com',
          '*.example',
          '*.com',
        ),
        methods: fc.constantFrom(['GET'], ['GET', 'POST'], ['POST']),
      },
      { requiredKeys: [] },
    )
    .chain((match) => fc.boolean().map((isPublic): Rule => ({ match, isPublic, permissions: [] }))),
  { maxLength: 12 },
);

function takes(pattern: string, host: string): boolean {
  if (!pattern.startsWith('*.')) return pattern === host;
  return host.endsWith(pattern.slice(1)) && host.length > pattern.length - 1;
}

/** The rule that a reading of the contract finds: all that hold, then the most specific, then the first. */
function reference(
  rules: readonly Rule[],
  { path, host, method }: { path: string; host: string; method: string },
): Rule | null {
  const normal = normalisePath(path);
  const isNormal = normal === (path.split(/[?#]/)[0] ?? '');
  const holding = rules.filter(({ match, isPublic }) => {
    if (isPublic && !isNormal) return false;
    if (match.host !== undefined && !takes(match.host, normaliseHost(host))) return false;
    if (match.methods !== undefined && !match.methods.includes(method)) return false;
    if (match.path === undefined || match.path === normal) return true;
    return match.path.endsWith('/*') && normal.startsWith(match.path.slice(0, -1));
  });
  const rank = ({ match }: Rule) => [
    match.path === undefined ? 0 : match.path.endsWith('/*') ? 1 : 2,
    match.path?.length ?? 0,
    match.host === undefined ? 0 : match.host.startsWith('*') ? match.host.length : 1_000,
    match.methods === undefined ? 0 : 1,
  ];
  const [first] = holding.toSorted((one, other) => {
    const [left, right] = [rank(one), rank(other)];
    const at = left.findIndex((value, index) => value !== right[index]);
    return at === -1 ? 0 : (right[at] ?? 0) - (left[at] ?? 0);
  });
  return first ?? null;
}

interface Asking {
  readonly host?: string;
  readonly method?: string;
  readonly headers?: readonly (readonly [string, string])[];
}

/** Finds among rules by their names. */
function named(rules: Readonly<Record<string, Rule['match'] & { readonly isPublic?: boolean }>>) {
  const made = Object.entries(rules).map(([name, { isPublic = false, ...match }]) => ({
    name,
    rule: { match, isPublic, permissions: [] } satisfies Rule,
  }));
  const find = createRules(made.map(({ rule }) => rule));
  return (path: string, { host = 'api.example.com', method = 'GET', headers = [] }: Asking = {}) => {
    const found = find(accessRequest({ path, host, method, headers }));
    return made.find(({ rule }) => rule === found)?.name ?? null;
  };
}
