import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readPresets } from '../../../src/presets/read.ts';
import type { Reason } from '../../../src/schemes/answer.ts';
import { mintSecret, recognise } from '../../../src/schemes/scheme.ts';
import { answerTable } from '../../../src/settings/schemes/answer-spec.ts';
import { type SchemeContext, schemeProblems } from '../../../src/settings/schemes/scheme-problems.ts';
import { createScheme, schemeSpec } from '../../../src/settings/schemes/scheme-spec.ts';

const presets = readPresets();
const adminScheme = presets.get('postern');
if (adminScheme === undefined) throw new Error('no preset postern');
const context: SchemeContext = {
  presets,
  adminScheme,
  plans: ['Pro'],
  hasChecksumKeys: false,
  judgePattern: () => null,
};
const plain = `
name: acme
places: [{ header: X-Acme-Key }]
prefixes: { acme_: live }
accept: { alphabet: A-Za-z0-9, min: 30 }
mint: { alphabet: A-Za-z0-9, length: 32 }
`;
const allReasons =
  'missing, ambiguous, malformed, unknown, revoked, disabled, expired, wrong_environment, owner_inactive, address_denied, permission_denied, rate_limited, unavailable';

describe('a scheme recognises what it mints', () => {
  it.each([
    ['an alphabet with a range of lengths', 'accept: { alphabet: A-Za-z0-9, min: 10, max: 40 }'],
    ['an alphabet with one length', 'accept: { alphabet: A-Za-z0-9_-, length: 32 }'],
    ['a pattern', "accept: { pattern: '[A-Za-z0-9]{16}[A-Za-z0-9]{16}' }"],
    ['a checksum', 'checksum: crc32'],
    ['a checksum by a key', 'checksum: hmac'],
    [
      'an alphabet of a-z and the sign -',
      'mint: { alphabet: a-z0-9-, length: 32 }\naccept: { alphabet: a-z0-9-, length: 32 }',
    ],
  ])('with %s', (_, yaml) => {
    const spec = schemeSpec.parse({ ...parse(plain), ...parse(yaml) });
    const checksumKeys = [{ id: 'a', key: Buffer.alloc(32, 1) }];
    const scheme = createScheme(spec, { answers: adminScheme.answers, checksumKeys });
    const key = mintSecret(scheme, 'live')?.secret.reveal() ?? '';

    expect(recognise(scheme, key)).toEqual({ text: 'acme_', environment: 'live' });
    expect(recognise(scheme, `${key}!`)).toBeNull();
    expect(recognise(scheme, key.slice(0, -30))).toBeNull();
  });

  it('by the whole of its pattern, alternatives included', () => {
    const spec = schemeSpec.parse({ ...parse(plain), accept: { pattern: 'a|b' } });

    expect(['a', 'b', 'ab', 'xa', 'bx', 'a\n'].map((text) => spec.accept.accepts(text))).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
  });
});

describe('what one scheme says is refused, by member,', () => {
  it.each([
    [
      'fewer than 128 random bits',
      'mint: { alphabet: 0-9a-f, length: 31 }',
      'mint: gives 124 random bits; expected 128 or more',
    ],
    [
      'an alphabet whose characters repeat',
      'mint: { alphabet: aaaab, length: 100 }',
      'mint: gives 100 random bits; expected 128 or more',
    ],
    [
      'a mint that accept refuses',
      'accept: { alphabet: a-z, min: 1 }',
      'mint: makes keys that accept denies; expected characters and a length that it takes',
    ],
    [
      'a mint that is too short for accept',
      'accept: { alphabet: A-Za-z0-9, min: 33 }',
      'mint: makes keys that accept denies; expected characters and a length that it takes',
    ],
    [
      'keys that a header would split',
      "mint: { alphabet: 'a-z,', length: 60 }\naccept: { alphabet: 'a-z,' }",
      'places.0: keys of this alphabet cannot be read from there; expected one without , and ;',
    ],
    [
      'a default plan that there is not',
      'plans: { free: unlimited }\ndefault_plan: fre',
      'default_plan: there is no plan "fre"; did you mean free?',
    ],
    [
      'a checksum without keys',
      'checksum: hmac',
      'checksum: hmac needs keys; expected them in POSTERN_CHECKSUM_KEYS',
    ],
    [
      "the name of the product's own",
      'name: postern',
      "name: postern is the product's own scheme; expected another name",
    ],
    [
      'a reason that is answered twice',
      `answers:\n  - { reasons: [${allReasons}], body: '1' }\n  - { reasons: [missing], body: '1' }`,
      'answers.1.reasons.0: missing is answered twice, first by answers.0; expected each reason once',
    ],
    [
      'a reason without an answer',
      `answers:\n  - { reasons: [${allReasons.replace(', revoked, disabled', '')}], body: '1' }`,
      'answers: no answer for revoked, disabled; expected every reason',
    ],
  ])('%s', (_, yaml, line) => {
    expect(problemsOf({ ...parse(plain), ...parse(yaml) })).toEqual([`schemes.0.${line}`]);
  });

  it.each([
    ['a mint is missing', 'mint:', ['mint: is missing; expected {alphabet: 0-9A-Za-z, length: 32}']],
    [
      'keys without a prefix are minted',
      '"": live',
      ['mint: is for keys with a prefix; those without are imported and never made, so leave it out'],
    ],
    [
      'keys have a prefix and none',
      'acme_: live\n  "": live',
      ['prefixes: has keys with a prefix and without; expected a scheme for each'],
    ],
  ])('%s', (_, change, lines) => {
    const { mint, ...rest } = parse(plain);
    const scheme =
      change === 'mint:'
        ? rest
        : {
            ...rest,
            prefixes: parse(change.includes('acme_') ? 'acme_: live\n"": live' : change),
            ...(change === '"": live' && { mint }),
          };
    expect(problemsOf(scheme)).toEqual(lines.map((line) => `schemes.0.${line}`));
  });

  it('keys without a prefix of two schemes in one place, of which nothing could tell whose they are', () => {
    const { mint: _, ...rest } = parse(plain);
    const bearer = { header: 'Authorization', word: 'Bearer' };
    const own = (name: string, ...places: unknown[]) => ({ ...rest, name, prefixes: { '': 'live' }, places });
    const judge = (...schemes: unknown[]) =>
      schemeProblems(schemes, context).problems.map(({ path, message }) => `${path.join('.')}: ${message}`);
    expect(judge('postern', own('kong', { header: 'apikey' }, bearer))).toEqual([]);
    expect(judge(own('kong', { header: 'apikey' }), own('tyk', bearer, { header: 'Authorization' }))).toEqual(
      [],
    );
    expect(judge(own('kong', { header: 'apikey' }), own('tyk', bearer, { header: 'APIKEY' }))).toEqual([
      'schemes.1.places.1: the keys of kong have no prefix either, and sit there; expected one such scheme in a place',
    ]);
  });

  it('a plan of the settings will do as its default, in any case', () => {
    expect(problemsOf({ ...parse(plain), default_plan: 'pro' })).toEqual([]);
  });

  it('a pattern that is judged to be dangerous, and it is not tried', () => {
    const scheme = { ...parse(plain), accept: { pattern: '(?:[A-Za-z0-9]+)+!' } };

    expect(problemsOf(scheme, { judgePattern: (pattern) => `no ${pattern}` })).toEqual([
      'schemes.0.accept.pattern: no (?:[A-Za-z0-9]+)+!',
    ]);
  });

  it('all of it, even where other members cannot be read', () => {
    const scheme = {
      ...parse(plain),
      places: 5,
      mint: { alphabet: 'ab', length: 30 },
      default_plan: 'x',
      checksum: 'hmac',
    };

    expect(problemsOf(scheme)).toEqual([
      expect.stringContaining('schemes.0.checksum: '),
      expect.stringContaining('schemes.0.default_plan: '),
      expect.stringContaining('schemes.0.mint: gives 30 random bits'),
    ]);
  });
});

describe('schemes together', () => {
  const acme = parse(plain);

  it.each([
    [
      'an earlier one',
      ['powerverse', { ...acme, prefixes: { x_: 'live', ak_live_a: 'live' } }],
      "schemes.1.prefixes.ak_live_a: a key could belong to two schemes: acme's ak_live_a and powerverse's ak_live_",
    ],
    [
      'a later preset',
      [{ ...acme, prefixes: { 'sk-': 'live' } }, 'mira'],
      "schemes.1: a key could belong to two schemes: mira's sk-mira- and acme's sk-",
    ],
    [
      'admin keys, listed or not',
      [{ ...acme, prefixes: { pst_: 'live' } }],
      "schemes.0.prefixes.pst_: a key could belong to two schemes: acme's pst_ and postern's pst_live_",
    ],
  ])('may share no prefix with %s', (_, listed, line) => {
    expect(problemsOf(listed)[0]).toBe(`${line}; expected prefixes of which none begins with another`);
  });

  it('may have prefixes of their own that begin with one another', () => {
    expect(problemsOf({ ...acme, prefixes: { acme_: 'live', acme_test_: 'test' } })).toEqual([]);
  });

  it('have each name once', () => {
    const other = { ...acme, prefixes: { other_: 'live' } };

    expect(problemsOf(['mira', acme, 'mira', other])).toEqual([
      'schemes.2: mira is there twice, first as schemes.0; expected each name once',
      'schemes.3: acme is there twice, first as schemes.1; expected each name once',
    ]);
  });
});

describe('the members of a scheme have their forms', () => {
  it.each([
    ['accept', '{ alphabet: a-z, length: 3, min: 2 }'],
    ['accept', '{ alphabet: a-z, min: 3, max: 2 }'],
    ['accept', '{ alphabet: z-a }'],
    ['accept', '{ alphabet: é }'],
    ['accept', "{ pattern: '(' }"],
    ['accept', "{ pattern: 'a)|(b' }"],
    ['accept', '{ pattern: a, alphabet: b }'],
    ['places', '[]'],
    ['places', '[{ header: a b }]'],
    ['places', '[{ header: a, word: b c }]'],
    ['places', '[{ header: Host }]'],
    ['places', '[{ header: Transfer-Encoding }]'],
    ['prefixes', '{}'],
    ['prefixes', '{ "a b": live }'],
    ['name', 'A'],
    ['answers', '[]'],
    ['answers', "[{ reasons: [missing], body: '{' }]"],
    ['answers', "[{ reasons: [missing], status: 200, body: '1' }]"],
    ['answers', '[{ reasons: [missing], headers: { a: "b\\n" }, body: "1" }]'],
  ])('%s may not be %s', (member, yaml) => {
    expect(schemeSpec.safeParse({ ...acmeSpec(), [member]: parse(yaml) }).success).toBe(false);
  });

  it('an answer has the status of its reason unless it says another', () => {
    const yaml = `[{ reasons: [rate_limited], body: '1' }, { reasons: [missing], status: 418, headers: { X-A: b }, body: '2' }]`;
    const rest = `[{ reasons: [${allReasons.replace(/, rate_limited|missing, /g, '')}], body: '3' }]`;
    const groups = schemeSpec.shape.answers.parse([...parse(yaml), ...parse(rest)]) ?? [];
    const table = answerTable(groups, adminScheme.answers);

    expect([table.rate_limited.status, table.missing.status, table.unavailable.status]).toEqual([
      429, 418, 503,
    ]);
    expect(table.missing.headers).toEqual([['x-a', 'b']]);
  });

  it('a scheme that answers every reason of the first version starts, whichever came later, and those are answered as by default', () => {
    const answers = parse(`[{ reasons: [${allReasons}], body: '"own"' }]`);
    expect(problemsOf({ ...parse(plain), answers })).toEqual([]);

    const later = { status: 403, headers: [], template: '"default"', body: () => '"default"' };
    const defaults = { ...adminScheme.answers, cleartext: later };
    const spec = schemeSpec.parse({ ...parse(plain), answers });
    const table = createScheme(spec, { answers: defaults, checksumKeys: [] }).answers;
    const words = Object.entries(table).map(([reason, answer]) => [reason, answer.body({})]);
    const own = allReasons.split(', ');
    expect(words.length).toBeGreaterThan(own.length);
    for (const [reason, body] of words) {
      const known = own.includes(String(reason));
      expect([reason, body]).toEqual([reason, known ? '"own"' : defaults[reason as Reason].body({})]);
    }
    expect(table).toHaveProperty('cleartext', later);
  });
});

function acmeSpec(): object {
  return parse(plain);
}

function problemsOf(given: unknown, changed: Partial<SchemeContext> = {}): string[] {
  const listed = Array.isArray(given) ? given : [given];
  return schemeProblems(listed, { ...context, ...changed }).problems.map(
    ({ path, message }) => `${path.join('.')}: ${message}`,
  );
}
