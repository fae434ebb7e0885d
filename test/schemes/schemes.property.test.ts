import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFindCredential } from '../../src/check/credential.ts';
import type { AccessRequest } from '../../src/check/request.ts';
import { createDigester } from '../../src/keys/secret.ts';
import { readPresets } from '../../src/presets/read.ts';
import { mintSecret, type Place, recognise, type Scheme } from '../../src/schemes/scheme.ts';
import { createScheme, schemeSpec } from '../../src/settings/schemes/scheme-spec.ts';
import { accessRequest } from '../requests.ts';

const answers = (readPresets().get('postern') as Scheme).answers;
const checksumKeys = [
  { id: 'new', key: Buffer.alloc(32, 'n') },
  { id: 'old', key: Buffer.alloc(32, 'o') },
];

const place = fc.oneof(
  fc.record({
    header: fc.constantFrom('Authorization', 'X-API-Key', 'api-key'),
    word: fc.constantFrom('Bearer', 'Token', undefined),
  }),
  fc.record({ query: fc.constantFrom('key', 'api_key', 'a.b~c') }),
  fc.record({ cookie: fc.constantFrom('key', 'session') }),
);

/** Any printable characters but those that end a value in a header or a cookie. */
const printable = fc
  .uniqueArray(fc.integer({ min: 0x21, max: 0x7e }), { minLength: 2, maxLength: 40 })
  .map((codes) => codes.map((code) => String.fromCharCode(code)).filter((one) => !',;-'.includes(one)))
  .filter((characters) => characters.length >= 2)
  .map((characters) => characters.join(''));

const alphabet = fc.oneof(
  fc.constantFrom('0-9A-Za-z', 'A-Za-z0-9_', 'A-Za-z0-9_-', '0-9a-f', '01', 'A-Z2-7'),
  printable,
);

const scheme = fc
  .record({
    places: fc.uniqueArray(place, { minLength: 1, maxLength: 4, selector: (one) => JSON.stringify(one) }),
    alphabet,
    more: fc.nat(20),
    form: fc.constantFrom('exact', 'least', 'bounds', 'pattern'),
    checksum: fc.constantFrom('none', 'crc32', 'hmac'),
    prefixes: fc.array(fc.string({ unit: fc.constantFrom(...'abAB01_.-'), minLength: 1, maxLength: 5 }), {
      minLength: 1,
      maxLength: 3,
    }),
  })
  .map(({ places, more, form, ...rest }) => {
    const size = schemeSpec.shape.mint.unwrap().parse({ alphabet: rest.alphabet, length: 1 }).alphabet.length;
    const length = Math.ceil(128 / Math.log2(size)) + more;
    const forms = {
      exact: { alphabet: rest.alphabet, length },
      least: { alphabet: rest.alphabet, min: Math.min(length, 12) },
      bounds: { alphabet: rest.alphabet, min: length, max: length + more },
      pattern: { pattern: `[${[...expand(rest.alphabet)].map(escaped).join('')}]{${length}}` },
    };
    return {
      ...rest,
      places,
      accept: forms[form as keyof typeof forms],
      mint: { alphabet: rest.alphabet, length },
    };
  });

/** Schemes of which none has a prefix that begins with another's; one scheme's own may. */
const schemes = fc.array(scheme, { minLength: 1, maxLength: 4 }).map((given) => {
  const taken: string[] = [];
  return given.flatMap(({ prefixes, alphabet: _, ...rest }, index) => {
    const free = prefixes.filter(
      (text) => !taken.some((other) => other.startsWith(text) || text.startsWith(other)),
    );
    taken.push(...free);
    if (free.length === 0) return [];
    const spec = schemeSpec.parse({
      ...rest,
      name: `scheme-${index}`,
      prefixes: Object.fromEntries(free.map((text, at) => [text, `env-${at}`])),
    });
    return [createScheme(spec, { answers, checksumKeys })];
  }) as [Scheme, ...Scheme[]];
});

describe('whatever the schemes', () => {
  it('a key that is made is recognised, found in each of its places, and digested as one text', () => {
    const digester = createDigester(checksumKeys);
    fc.assert(
      fc.property(schemes, (configured) => {
        for (const { made, maker, environment } of minted(configured)) {
          const isPlain = !maker.prefixes.some(({ text }) => startsAnother(text, maker));
          const recognised = recognise(maker, made);
          if (isPlain) expect(recognised?.environment).toBe(environment);
          expect(recognised).not.toBeNull();
          for (const where of maker.places) {
            const found = createFindCredential(configured)(requestWith(where, made));
            if (found.kind !== 'key') throw new Error(`${found.kind} in ${JSON.stringify(where)}: ${made}`);
            expect([found.scheme.name, found.text, found.place]).toEqual([maker.name, made, where]);
            expect(digester.candidates(found.text)).toContain(digester.sign(made));
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('a key is its own prefix’s though it goes on like another prefix of the same scheme', () => {
    const spec = schemeSpec.parse({
      name: 'nested',
      places: [{ header: 'x-api-key' }],
      prefixes: { k_: 'live', k_1: 'test' },
      accept: { alphabet: '01', length: 128 },
      mint: { alphabet: '01', length: 128 },
    });
    const nested = createScheme(spec, { answers, checksumKeys });
    for (const environment of Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? 'live' : 'test'))) {
      const made = mintSecret(nested, environment)?.secret.reveal() ?? '';
      expect(recognise(nested, made)?.environment).toBe(environment);
    }
  });

  it('no text is a key of two', () => {
    fc.assert(
      fc.property(schemes, fc.array(fc.nat(200), { maxLength: 12 }), (configured, cuts) => {
        const keys = minted(configured).map(({ made }) => made);
        const prefixes = configured.flatMap((one) => one.prefixes.map(({ text }) => text));
        const spliced = cuts.flatMap((cut, at) => {
          const [one = '', other = ''] = [keys[at % keys.length], keys[(at * 7 + cut) % keys.length]];
          const prefix = prefixes[cut % prefixes.length] ?? '';
          return [
            one.slice(0, cut) + other.slice(cut),
            prefix + one,
            prefix + other.slice(cut % 9),
            one + other,
          ];
        });
        for (const text of [...keys, ...spliced]) {
          expect(configured.filter((one) => recognise(one, text) !== null).length).toBeLessThanOrEqual(1);
        }
        for (const key of keys) {
          expect(configured.filter((one) => recognise(one, key) !== null).length).toBe(1);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('a key with a checksum is none with one character changed, gone, more, or in its neighbour’s place', () => {
    fc.assert(
      fc.property(schemes, fc.nat(), fc.integer({ min: 0x20, max: 0x7e }), (configured, where, code) => {
        const other = String.fromCharCode(code);
        for (const { made, maker } of minted(configured).filter((one) => one.maker.checksum !== null)) {
          const at = where % made.length;
          const [before, here, next] = [made.slice(0, at), made.charAt(at), made.charAt(at + 1)];
          const rest = made.slice(at + 1);
          for (const miss of [
            before + other + rest,
            before + rest,
            before + other + here + rest,
            before + next + here + rest.slice(1),
            made + other,
          ]) {
            if (miss !== made) expect([miss, recognise(maker, miss)]).toEqual([miss, null]);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it('an HMAC by an older key is as good as one by the newest, and one by another key is none', () => {
    fc.assert(
      fc.property(schemes, (configured) => {
        for (const one of configured.filter(({ checksum }) => checksum?.length === 11)) {
          const environment = one.prefixes[0]?.environment ?? '';
          const withKeys = (key: string) => ({ ...one, checksum: hmacWith(key) });
          const old = mintSecret(withKeys('o'), environment)?.secret.reveal() ?? '';
          const foreign = mintSecret(withKeys('x'), environment)?.secret.reveal() ?? '';
          expect([recognise(one, old) !== null, recognise(one, foreign)]).toEqual([true, null]);
        }
      }),
      { numRuns: 100 },
    );
  });
});

/** A key of each prefix of each scheme that is the one for its environment. */
function minted(configured: readonly Scheme[]) {
  return configured.flatMap((maker) =>
    maker.prefixes.map(({ environment }) => {
      const made = mintSecret(maker, environment)?.secret.reveal() ?? '';
      return { made, maker, environment };
    }),
  );
}

/** Whether one of the scheme's other prefixes begins with this one. */
function startsAnother(text: string, { prefixes }: Scheme): boolean {
  return prefixes.some((other) => other.text !== text && other.text.startsWith(text));
}

function requestWith(where: Place, key: string): AccessRequest {
  if (where.kind === 'query') {
    return accessRequest({ path: `/a?x=1&${where.name}=${encodeURIComponent(key)}&y` });
  }
  if (where.kind === 'cookie') {
    return accessRequest({ headers: [['cookie', `a=b; ${where.name}=${key}; c`]] });
  }
  return accessRequest({ headers: [[where.name, where.word === null ? key : `${where.word} ${key}`]] });
}

function hmacWith(key: string) {
  const spec = schemeSpec.parse({
    name: 'hmac',
    places: [{ query: 'key' }],
    prefixes: { a: 'live' },
    accept: { alphabet: '0-9A-Za-z', length: 32 },
    mint: { alphabet: '0-9A-Za-z', length: 32 },
    checksum: 'hmac',
  });
  return createScheme(spec, { answers, checksumKeys: [{ id: key, key: Buffer.alloc(32, key) }] }).checksum;
}

function expand(text: string): string {
  return schemeSpec.shape.mint.unwrap().parse({ alphabet: text, length: 1 }).alphabet;
}

function escaped(one: string): string {
  return `\\u{${one.charCodeAt(0).toString(16)}}`;
}
