import { describe, expect, it } from 'vitest';
import { isAllowedPrincipal, principalFault } from '../../src/check/principals.ts';

const web = 'spiffe://cluster.local/ns/shop/sa/web';

describe('an entry of principals', () => {
  it.each([
    [web, web],
    ['spiffe://cluster.local/ns/shop/*', web],
    ['spiffe://cluster.local/ns/*', web],
    ['spiffe://cluster.local/*', web],
    ['spiffe://cluster.local', 'spiffe://cluster.local'],
    ['api.example.com', 'api.example.com'],
    ['API.Example.com', 'api.EXAMPLE.com'],
    ['*.example.com', 'api.example.com'],
    ['*.example.com', 'a.b.c.Example.com'],
    ['web', 'web'],
  ])('%s matches the caller %s', (entry, caller) => {
    expect(principalFault(entry)).toBeNull();
    expect(isAllowedPrincipal([entry], caller)).toBe(true);
    expect(isAllowedPrincipal(['other.example', entry, 'spiffe://other/*'], caller)).toBe(true);
  });

  it.each([
    [web, ''],
    [web, `${web}2`],
    [web, `${web}/`],
    [web, 'spiffe://cluster.local/ns/shop/sa/WEB'],
    [web, 'cluster.local/ns/shop/sa/web'],
    ['spiffe://cluster.local/ns/shop/*', 'spiffe://cluster.local/ns/shop'],
    ['spiffe://cluster.local/ns/shop/*', 'spiffe://cluster.local/ns/shop/'],
    ['spiffe://cluster.local/ns/shop/*', 'spiffe://cluster.local/ns/shop2/sa/web'],
    ['spiffe://cluster.local/ns/shop/*', 'spiffe://cluster.local/ns/shop/../ops/sa/root'],
    ['spiffe://cluster.local/ns/shop/*', 'spiffe://cluster.local/ns/shop//sa'],
    ['spiffe://cluster.local/ns/shop/*', 'spiffe://cluster.local/ns/shop/%2e%2e/sa'],
    ['spiffe://cluster.local/*', 'spiffe://cluster.local.evil/ns/shop/sa/web'],
    ['spiffe://cluster.local/*', 'spiffe://cluster.local'],
    ['*.example.com', 'example.com'],
    ['*.example.com', '.example.com'],
    ['*.example.com', 'api.example.com.evil'],
    ['*.example.com', 'apiexample.com'],
    ['*.example.com', 'CN=api.example.com'],
    ['*.example.com', 'O=Evil,CN=x.example.com'],
    ['*.example.com', 'spiffe://x.example.com'],
    ['api.example.com', '*.example.com'],
    ['api.example.com', 'api.example.com:443'],
  ])('%s does not match the caller %s', (entry, caller) => {
    expect(principalFault(entry)).toBeNull();
    expect(isAllowedPrincipal([entry], caller)).toBe(false);
  });

  it.each(['*', '/*', 'spiffe://*', 'spiffe:///*', '*.', '*.*.a', 'CN=web', '10.0.0.1', ''])(
    'is refused where it is %j, and matches nobody should a store have it all the same',
    (entry) => {
      expect(principalFault(entry)).toMatch(/^is /);
      for (const caller of [web, 'api.example.com', 'CN=web', '10.0.0.1', entry])
        expect(isAllowedPrincipal([entry], caller)).toBe(false);
    },
  );

  it('takes no time that grows faster than what is compared', () => {
    const long = `spiffe://${'a'.repeat(255)}${'/a'.repeat(30_000)}/`;
    expect(isAllowedPrincipal(['spiffe://a/*', '*.a'], long)).toBe(false);
    expect(isAllowedPrincipal(['spiffe://a/*', '*.a'], '.a'.repeat(50_000))).toBe(false);
  });
});
