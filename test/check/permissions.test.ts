import { describe, expect, it } from 'vitest';
import { holdsAll } from '../../src/check/permissions.ts';

const many = ['p1', 'p2', 'p3', 'p4', 'p5', 'p6', 'p7', 'p8'];

/** As it is with few permissions and with many, which are looked up in another way. */
function each(held: readonly string[], asked: readonly string[]): boolean[] {
  return [holdsAll(held, asked), holdsAll([...many, ...held], asked)];
}

describe('holdsAll', () => {
  it.each([
    [['read:*'], ['read:assets']],
    [['read:*'], ['read:']],
    [['read:*'], ['read:assets:deep/er']],
    [['a:b:*'], ['a:b:c']],
    [[':*'], [':x']],
    [['*'], ['anything', 'admin:write']],
    [['admin:*'], ['admin:write']],
    [
      ['x', 'read:*'],
      ['x', 'read:a', 'read:b'],
    ],
    [['b'], ['a|b']],
    [['read:*'], ['write:a|read:a']],
    [['*'], ['a|']],
    [['a'], ['a|']],
    [
      ['a', 'd'],
      ['a|b', 'c|d'],
    ],
    [
      ['*', 'x'],
      ['a|b', 'c', 'x'],
    ],
    [['a|b'], ['a|b']],
    [[], []],
  ])('finds in %j all of %j', (held, asked) => {
    expect(each(held, asked)).toEqual([true, true]);
  });

  it.each([
    [['read:*'], ['read']],
    [['read:*'], ['write:assets']],
    [['read:*'], ['READ:assets']],
    [['read*'], ['read:assets']],
    [['read:a*'], ['read:ab']],
    [['*:assets'], ['read:assets']],
    [['**'], ['read:assets']],
    [['a'], ['b|c']],
    [['a'], ['a|b', 'c']],
    [['a'], ['']],
    [['*'], ['|']],
    [['*'], ['||']],
    [['|:*'], ['|']],
    [['x'], ['x|y', '|']],
    [['a|b'], ['a']],
    [['a|b'], ['a|b|c']],
    [[], ['a']],
  ])('does not find in %j all of %j', (held, asked) => {
    expect(each(held, asked)).toEqual([false, false]);
  });

  it('reads the same lists again as the first time', () => {
    const [held, asked] = [['read:*'], ['read:a|write:a']];
    expect([holdsAll(held, asked), holdsAll(held, asked)]).toEqual([true, true]);
    expect(holdsAll(held, ['write:a'])).toBe(false);
  });
});
