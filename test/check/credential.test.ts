import { describe, expect, it } from 'vitest';
import { createFindCredential, credentialIn } from '../../src/check/credential.ts';
import { readPresets } from '../../src/presets/read.ts';
import { mintSecret, type Scheme } from '../../src/schemes/scheme.ts';
import { accessRequest } from '../requests.ts';

const presets = readPresets();
const postern = presets.get('postern') as Scheme;
const powerverse = presets.get('powerverse') as Scheme;
const converra = presets.get('converra') as Scheme;
const all = [postern, powerverse, converra] as const;
const posternKey = mint(postern);
const powerverseKey = mint(powerverse);

describe('the look for a credential', () => {
  it('finds a bearer key, the word in any case and with several spaces', () => {
    for (const word of ['Bearer ', 'bearer ', 'BEARER    ']) {
      const found = findCredential({ headers: [['authorization', word + posternKey]] }, all);
      expect(found).toMatchObject({ kind: 'key', scheme: postern, text: posternKey });
    }
  });

  it('finds a key in a header of its own', () => {
    const found = findCredential({ headers: [['x-api-key', powerverseKey]] }, all);
    expect(found).toMatchObject({
      kind: 'key',
      scheme: powerverse,
      text: powerverseKey,
      prefix: { environment: 'live' },
    });
  });

  it.each([
    [
      'the same header twice',
      [
        ['authorization', `Bearer ${posternKey}`],
        ['authorization', `Bearer ${posternKey}`],
      ],
    ],
    ['two joined by a comma', [['x-api-key', `${powerverseKey},${powerverseKey}`]]],
    ['a good one and an empty one joined', [['x-api-key', `${powerverseKey},`]]],
    [
      'two places',
      [
        ['authorization', `Bearer ${posternKey}`],
        ['x-api-key', powerverseKey],
      ],
    ],
    [
      'a key and another word',
      [
        ['authorization', 'Basic YWI6Y2Q='],
        ['x-api-key', powerverseKey],
      ],
    ],
  ] as const)('takes %s for more than one credential', (_, headers) => {
    expect(findCredential({ headers }, all).kind).toBe('ambiguous');
  });

  it.each([
    ['another word', `Basic ${posternKey}`],
    ['no word', posternKey],
    ['the word alone', 'Bearer'],
    ['the word and a space', 'Bearer '],
    ['no space', `Bearer${posternKey}`],
    ['a tab', `Bearer\t${posternKey}`],
    ['the word twice', `Bearer Bearer ${posternKey}`],
    ['a space inside', `Bearer ${posternKey.slice(0, 20)} ${posternKey.slice(20)}`],
    ['a space that is none of ASCII behind', `Bearer ${posternKey}\u00a0`],
    ['a NUL behind', `Bearer ${posternKey}\0`],
    ['a line end behind', `Bearer ${posternKey}\n`],
    ['a Cyrillic letter', `Bearer ${posternKey.replace('p', 'р')}`],
    ['bytes that are no text', 'Bearer \u00ff\u00fe\u0080'],
    ['a megabyte', `Bearer ${'a'.repeat(1_048_576)}`],
    ['the key of a scheme that sits elsewhere', `Bearer ${powerverseKey}`],
  ])('takes %s for malformed', (_, value) => {
    expect(findCredential({ headers: [['authorization', value]] }, all).kind).toBe('malformed');
  });

  it.each([' ', '\t', ' \t  '])('passes over %j around a value', (blanks) => {
    const headers = (name: string, value: string) => ({
      headers: [[name, blanks + value + blanks]] as const,
    });
    for (const given of [
      headers('authorization', `Bearer ${posternKey}`),
      headers('x-api-key', powerverseKey),
    ])
      expect(findCredential(given, all).kind).toBe('key');
    expect(findCredential(headers('authorization', ''), all).kind).toBe('missing');
  });

  it.each<readonly string[]>([
    ['', powerverseKey],
    [powerverseKey, ''],
    [' ', powerverseKey],
    ['', ''],
  ])(
    'takes several values for more than one credential, empty ones counted, apart as joined: %j',
    (...values) => {
      const apart = { headers: values.map((value) => ['x-api-key', value] as const) };
      const joined = { headers: [['x-api-key', values.join(',')] as const] };
      const inQuery = { path: `/?key=${values.join('&key=')}` };
      const scheme: Scheme = {
        ...powerverse,
        places: [...powerverse.places, { kind: 'query', name: 'key' }],
      };
      for (const given of [apart, joined, inQuery])
        expect(findCredential(given, [scheme]).kind).toBe('ambiguous');
    },
  );

  it('takes an empty header for none', () => {
    expect(findCredential({ headers: [['authorization', '']] }, all).kind).toBe('missing');
    expect(findCredential({}, all).kind).toBe('missing');
  });

  it('looks only where the schemes of the route look', () => {
    const headers = [['authorization', `Bearer ${posternKey}`]] as const;
    expect(findCredential({ headers }, [powerverse]).kind).toBe('missing');
    const both = [...headers, ['x-api-key', powerverseKey]] as const;
    expect(findCredential({ headers: both }, [powerverse]).kind).toBe('key');
  });

  it('looks for keys with a prefix first, and lets no scheme without one speak for them', () => {
    const plain: Scheme = {
      ...{
        ...postern,
        name: 'plain',
        prefixes: [{ text: '', environment: 'live' }],
        checksum: null,
        mint: null,
      },
      accepts: (text) => /^[A-Za-z0-9_]{8,64}$/.test(text),
    };
    const schemeOf = (key: string, schemes: readonly [Scheme, ...Scheme[]]) => {
      const found = findCredential({ headers: [['authorization', `Bearer ${key}`]] }, schemes);
      return found.kind === 'key' ? found.scheme.name : `${found.kind} ${found.speaker.name}`;
    };
    for (const schemes of [[plain, postern] as const, [postern, plain] as const]) {
      expect(schemeOf(posternKey, schemes)).toBe('postern');
      expect(schemeOf('0123456789abcdef', schemes)).toBe('plain');
      expect(schemeOf('pst_live_no_such_key', schemes)).toBe('plain');
      expect(schemeOf('short', schemes)).toBe(`malformed ${schemes[0].name}`);
    }
    expect(schemeOf('pst_live_-', [plain, postern])).toBe('malformed postern');
  });

  it('lets the scheme speak whose prefix the credential has, else the first that looks there, else the first', () => {
    const speaker = (headers: readonly (readonly [string, string])[]) => {
      const found = findCredential({ headers }, all);
      return found.kind === 'key' ? null : found.speaker.name;
    };
    expect(speaker([['authorization', 'Bearer sk_test_short']])).toBe('converra');
    expect(speaker([['authorization', 'Bearer rubbish']])).toBe('postern');
    expect(speaker([['x-api-key', 'rubbish']])).toBe('powerverse');
    expect(speaker([])).toBe('postern');
  });
});

describe('credentialIn', () => {
  it('gives the whole value where a scheme has no word', () => {
    expect(credentialIn('anything at all', null)).toBe('anything at all');
  });
});

/** What schemes find in a request. */
function findCredential(given: Parameters<typeof accessRequest>[0], schemes: readonly [Scheme, ...Scheme[]]) {
  return createFindCredential(schemes)(accessRequest(given));
}

function mint(scheme: Scheme): string {
  return mintSecret(scheme, 'live')?.secret.reveal() ?? '';
}
