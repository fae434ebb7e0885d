import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createAuthorize } from '../../src/check/authorize.ts';
import { contextMembers, readContext } from '../../src/check/context.ts';
import { createRules, type Rule } from '../../src/check/rules.ts';
import { createDigester } from '../../src/keys/secret.ts';
import { createPlans } from '../../src/limits/plan.ts';
import { readPresets } from '../../src/presets/read.ts';
import type { Scheme } from '../../src/schemes/scheme.ts';
import { accessRequest } from '../requests.ts';

const known = { schemes: new Set(['mira', 'postern']), environments: new Set(['live', 'test']) };
const read = (context: Record<string, string>) => readContext(new Map(Object.entries(context)), known);

describe('context_extensions', () => {
  it('say what they mean', () => {
    const context = { scheme: 'mira , postern', environment: 'test', permissions: 'a:b, c|d,e:*', cost: '0' };
    expect(read({ ...context, public: 'false', 'x-mesh': 'anything', 'x-': '' })).toEqual({
      ...{ schemes: ['mira', 'postern'], environment: 'test', permissions: ['a:b', 'c|d', 'e:*'] },
      ...{ cost: 0, isPublic: false },
    });
    expect(read({})).toEqual({});
    expect(read({ public: 'true', cost: '1000000000' })).toEqual({ isPublic: true, cost: 1_000_000_000 });
  });

  it.each([
    ...[
      'permisions',
      'Permissions',
      'PUBLIC',
      ' cost',
      'cost ',
      'permission',
      'scopes',
      '',
      'X-Mesh',
      'x_mesh',
    ],
    ...['__proto__', 'constructor', 'toString'],
  ])('name nothing by %j', (name) => {
    const context = new Map([[name, 'true']]);
    expect(readContext(context, known)).toMatchObject({ misconfigured: { member: 'unknown' } });
  });

  it.each([
    ...['', '-1', '1.5', '1e3', 'three', ' 1', '+1', '0x1', '1000000001', '٣'].map((text) => ['cost', text]),
    ...['', 'yes', 'True', 'TRUE', '1', 'no', ' true', 'true,false'].map((text) => ['public', text]),
    ...['', ',', 'mirra', 'mira,', 'mira,,postern', 'Mira', 'mira postern', '*'].map((text) => [
      'scheme',
      text,
    ]),
    ...['', 'Live', 'prod', 'live,test', ' live'].map((text) => ['environment', text]),
    ...['', ' ', ',', 'a,', ',a', 'a,,b', 'read things', 'é', 'a\nb'].map((text) => ['permissions', text]),
  ] as const)('say nothing that can be read by %s: %j', (member, text) => {
    const said = read({ permissions: 'a', [member as string]: text as string });
    expect(said).toMatchObject({ misconfigured: { member } });
    expect((said as { misconfigured: { problem: string } }).misconfigured.problem).toContain(`${member}: `);
  });

  it('that cannot be read are told in a short line of printable ASCII, whatever they are, and never by a key', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 60 }),
        fc.constantFrom('', ...contextMembers),
        (text, name) => {
          const said = readContext(new Map([[name === '' ? text : name, text]]), known);
          fc.pre('misconfigured' in said);
          expect('misconfigured' in said && said.misconfigured.problem).toMatch(/^[\x20-\x7e]{1,200}$/);
        },
      ),
    );
    const key = `sk-mira-${'0a'.repeat(20)}`;
    for (const member of ['scheme', 'environment', 'cost', 'public'])
      expect(JSON.stringify(read({ [member]: key }))).not.toContain('0a0a');
    expect(JSON.stringify(read({ [key]: '' }))).not.toContain('0a0a');
  });
});

describe('a Check of a route that is misconfigured', () => {
  const schemes = [...readPresets().values()] as [Scheme, ...Scheme[]];
  const untouchable = () => {
    throw new Error('asked for a key');
  };
  const keyring = {
    ...{ peek: untouchable, load: untouchable, peekOwner: untouchable, loadOwner: untouchable },
    ...{ peekGrants: untouchable, loadGrants: untouchable },
  };
  const open: Rule = { match: { path: '/*' }, isPublic: true, permissions: [] };
  const authorize = createAuthorize({
    ...{ schemes, environment: 'live', keyring, digester: createDigester([]), plans: createPlans(new Map()) },
    ...{ spend: untouchable, look: untouchable, now: () => 0, findRule: createRules([open]) },
  });
  const decide = (context: Record<string, string>) => authorize(accessRequest({ context }));

  it('is answered as unavailable, with or without a key, and on a public route too', () => {
    expect(decide({})).toEqual({ verdict: 'public' });
    expect(decide({ 'x-mesh': 'a' })).toEqual({ verdict: 'public' });
    for (const context of [{ permisions: 'a' }, { cost: 'three' }, { public: 'true', Cost: '1' }])
      expect(decide(context)).toMatchObject({ verdict: 'deny', reason: 'unavailable', key: null });
    expect(decide({ cost: 'three' })).toMatchObject({
      misconfigured: {
        member: 'cost',
        problem: 'cost: expected a whole number from 0 to 1000000000, got "three"',
      },
    });
  });

  it('asks for a key where a route asks for permissions below what is public', () => {
    expect(decide({ permissions: 'write:things' })).toMatchObject({ verdict: 'deny', reason: 'missing' });
    expect(decide({ permissions: 'write:things', public: 'true' })).toMatchObject({ reason: 'missing' });
  });
});
