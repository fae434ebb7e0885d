import { describe, expect, it } from 'vitest';
import { createFindCredential } from '../../src/check/credential.ts';
import { readPresets } from '../../src/presets/read.ts';
import { mintSecret, type Scheme } from '../../src/schemes/scheme.ts';
import {
  keyText,
  mavera,
  mira,
  powerverse,
  prefixFor,
  presented,
  type Vendor,
  vendors,
} from '../e2e/vendors/vendor-cases.ts';
import { accessRequest } from '../requests.ts';

const presets = readPresets();
const all = [...presets.values()] as [Scheme, ...Scheme[]];
const own = presets.get('postern') as Scheme;

/** One form that keys have: a vendor's keys of one prefix, or our own. */
interface Form {
  readonly title: string;
  readonly scheme: Scheme;
  readonly header: string;
  readonly word: 'Bearer' | null;
  readonly prefix: string;
  /** A key of this form, as short as it may be. */
  readonly key: string;
  readonly isBounded: boolean;
}

const forms: Form[] = [
  ...vendors.flatMap((vendor) =>
    Object.entries(vendor.prefixes).map(([prefix, environment]) => ({
      title: `${vendor.scheme}'s ${prefix}`,
      scheme: presets.get(vendor.scheme) as Scheme,
      header: vendor.header,
      word: vendor.word,
      prefix,
      key: keyText(vendor, environment),
      isBounded: vendor.accepted.max !== null,
    })),
  ),
  ...(['live', 'test'] as const).map((environment) => ({
    title: `the product's pst_${environment}_`,
    scheme: own,
    header: 'authorization',
    word: 'Bearer' as const,
    prefix: `pst_${environment}_`,
    key: mintSecret(own, environment)?.secret.reveal() ?? '',
    isBounded: true,
  })),
];

/** What stands in place of a good key, and is none. */
const nearMisses: Readonly<Record<string, (form: Form) => string[]>> = {
  'one character short': ({ key }) => [key.slice(0, -1), removedAt(key, key.length - 2)],
  'one character long, where the length is bounded': ({ key, isBounded }) =>
    isBounded ? [`${key}0`, `${key}a`, `${key.slice(0, -1)}0${key.slice(-1)}`] : [],
  'longer than any key': ({ key }) => [key + 'a'.repeat(1_024), key + 'a'.repeat(1_000_000)],
  'the prefix alone, and nothing': ({ prefix }) => [prefix, prefix.slice(0, -1), ''],
  'a prefix in the wrong case': ({ key, prefix }) => [
    prefix.toUpperCase() + key.slice(prefix.length),
    prefix.charAt(0).toUpperCase() + key.slice(1),
  ],
  'a body in the wrong case, where case is given': ({ key, scheme }) =>
    scheme.name === 'mira' ? [`sk-mira-${key.slice(8).toUpperCase()}`, `${key.slice(0, -1)}F`] : [],
  'a prefix that is nearly it': ({ key, prefix }) => {
    const body = key.slice(prefix.length);
    const middle = Math.floor(prefix.length / 2);
    return [
      prefix.slice(0, -1) + body,
      prefix.slice(1) + body,
      `x${key}`,
      `${prefix.slice(0, -1)}.${body}`,
      `${prefix.slice(0, -1)}${prefix.endsWith('_') ? '-' : '_'}${body}`,
      prefix.replace(/live|test|mira/, 'prod') + body,
      prefix.slice(0, middle) + prefix.slice(middle).replace(/./g, '*') + body,
      [...prefix].reverse().join('') + body,
      body,
    ];
  },
  'a look-alike in place of a letter': ({ key, prefix }) =>
    [...'\u0430\u0435\u043e\u0440\u0441\u0455\u0456\u217c\u1d0b\u212a\uff21\uff41\uff10\u0661'].flatMap(
      (alike) => [
        replacedAt(key, 0, alike),
        replacedAt(key, prefix.length - 1, alike),
        replacedAt(key, prefix.length, alike),
        replacedAt(key, key.length - 1, alike),
      ],
    ),
  'something that does not show': ({ key }) =>
    [...'\u200b\u200d\u00ad\ufeff\u2060\u0301\u202e'].flatMap((hidden) => everywhere(key, hidden)),
  'a control character': ({ key }) =>
    ['\0', '\n', '\r', '\r\n', '\t', '\v', '\f', '\u001b', '\u007f', '\u0085', '\u2028'].flatMap((control) =>
      everywhere(key, control),
    ),
  'a separator': ({ key }) => [...';:=/\\"\'%&?#|<>{}~^`'].flatMap((separator) => everywhere(key, separator)),
  'a space, but for more of them behind the word': ({ key, word }) =>
    everywhere(key, ' ').slice(word === null ? 0 : 1),
  'bytes that are no text': ({ key }) =>
    [...'\u00ff\u0080\u00a0\ud800'].flatMap((byte) => everywhere(key, byte)),
  'the key in another dress': ({ key }) => [
    `"${key}"`,
    `'${key}'`,
    `<${key}>`,
    `${key}==`,
    encodeURIComponent(`${key}\0`),
    Buffer.from(key).toString('base64'),
    [...key].reverse().join(''),
    `${key} ${key}`,
  ],
};

describe.each(forms)('of $title', (form) => {
  const { scheme, header, word, key } = form;
  const present = (text: string) => (word === null ? text : `${word} ${text}`);

  it('the shortest key is taken', () => {
    expect(judge(header, present(key))).toBe(scheme.name);
  });

  /** Blanks and tabs around a header's value are no part of it. */
  const isOther = (text: string) => present(text).replace(/^[ \t]+|[ \t]+$/g, '') !== present(key);

  it.each(Object.entries(nearMisses))('%s is malformed', (_, missesOf) => {
    for (const miss of missesOf(form).filter(isOther)) {
      expect([miss.slice(0, 100), judge(header, present(miss), [scheme])]).toEqual([
        miss.slice(0, 100),
        miss === '' && word === null ? 'missing' : 'malformed',
      ]);
      expect([miss.slice(0, 100), judge(header, present(miss))]).not.toEqual([
        miss.slice(0, 100),
        scheme.name,
      ]);
    }
  });

  it('a comma makes it more than one', () => {
    for (const text of [`${key},`, `,${key}`, `${key},${key}`, `${key}, ${present(key)}`]) {
      expect(judge(header, present(text))).toBe('ambiguous');
    }
  });

  it.each(
    Object.entries({
      'in any case': ['Bearer ', 'bearer ', 'BEARER ', 'bEaReR '],
      'with several spaces': ['Bearer  ', `Bearer${' '.repeat(20)}`],
    }),
  )('the word Bearer is legal %s, where there is one', (_, starts) => {
    for (const start of starts) {
      expect(judge('authorization', start + key)).toBe(word === null ? 'malformed' : scheme.name);
    }
  });

  it.each([
    '',
    ' ',
    'Bearer',
    'Bearer\t',
    'Bearer \t',
    'Bearer\u00a0',
    'Bearer\u3000',
    'Bearer\n',
    'Bearer=',
    'Bearer: ',
    'Bearer Bearer ',
    'Bearer bearer ',
    'BearerBearer ',
    'Basic ',
    'Token ',
    'ApiKey ',
    'Bear ',
    'Bearers ',
    '"Bearer" ',
    '\u0412\u0435arer ',
    'Beare\u0433 ',
    '\uff22earer ',
  ])('%j before it in Authorization is malformed', (start) => {
    expect(judge('authorization', start + key, [scheme])).toBe(word === null ? 'missing' : 'malformed');
    expect(judge('authorization', start + key)).toBe('malformed');
  });
});

describe.each(vendors)('the alphabet of $scheme', (vendor) => {
  it('is what its page says, wherever a character stands', () => {
    const good = keyText(vendor);
    const start = prefixFor(vendor, 'live').length;
    for (let code = 0; code < 0x180; code++) {
      const one = String.fromCharCode(code);
      const isAccepted = vendor.accepted.characters.includes(one);
      for (const at of [start, start + 7, good.length - 1]) {
        const [header, value] = presented(vendor, replacedAt(good, at, one));
        const verdict = judge(header, value, [presets.get(vendor.scheme) as Scheme]);
        expect([code, at, verdict === vendor.scheme]).toEqual([code, at, isAccepted]);
      }
    }
  });
});

describe('the body of one vendor behind the prefix of another', () => {
  const pairs = vendors.flatMap((one) => vendors.map((other) => ({ one, other })));
  it.each(pairs)('$other.scheme behind $one.scheme is $one.scheme at most', ({ one, other }) => {
    for (const body of [bodyOf(keyText(other), other), bodyOf(mintedOf(other), other)]) {
      for (const prefix of Object.keys(one.prefixes)) {
        const value = one.word === null ? prefix + body : `${one.word} ${prefix}${body}`;
        expect(judge(one.header, value)).toBe(fits(one, body) ? one.scheme : 'malformed');
      }
    }
  });

  it('is not taken where it has another form', () => {
    expect(judge('authorization', `Bearer sk-mira-${bodyOf(mintedOf(mavera), mavera)}`)).toBe('malformed');
    expect(judge('x-api-key', mintedOf(mira))).toBe('malformed');
    expect(judge('authorization', `Bearer ${mintedOf(powerverse)}`)).toBe('malformed');
    expect(judge('authorization', `Bearer pst_live_${bodyOf(mintedOf(mavera), mavera)}`)).toBe('malformed');
  });
});

/** The name of the scheme that takes it, else why none does. */
function judge(header: string, value: string, schemes = all): string {
  const found = createFindCredential(schemes)(accessRequest({ headers: [[header, value]] }));
  return found.kind === 'key' ? found.scheme.name : found.kind;
}

function removedAt(text: string, at: number): string {
  return text.slice(0, at) + text.slice(at + 1);
}

function replacedAt(text: string, at: number, one: string): string {
  return text.slice(0, at) + one + text.slice(at + 1);
}

/** Before the key, in it, in place of a part of it, and behind it. */
function everywhere(key: string, one: string): string[] {
  const middle = Math.floor(key.length / 2);
  return [
    one + key,
    key + one,
    key.slice(0, middle) + one + key.slice(middle),
    replacedAt(key, middle, one),
    replacedAt(key, key.length - 1, one),
  ];
}

function bodyOf(key: string, vendor: Vendor): string {
  return key.slice(prefixFor(vendor, 'live').length);
}

function mintedOf({ scheme }: Vendor): string {
  return mintSecret(presets.get(scheme) as Scheme, 'live')?.secret.reveal() ?? '';
}

function fits({ accepted }: Vendor, body: string): boolean {
  const { characters, min, max } = accepted;
  return (
    body.length >= min && body.length <= (max ?? 512) && [...body].every((one) => characters.includes(one))
  );
}
