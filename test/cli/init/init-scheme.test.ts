import { randomInt } from 'node:crypto';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { examineSettings } from '../../../src/cli/config/settings.ts';
import { crc32Checksum } from '../../../src/schemes/checksum.ts';
import { mintSecret, recognise, type Scheme } from '../../../src/schemes/scheme.ts';
import { postern } from '../console.ts';

const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const hex = '0123456789abcdef';

function random(alphabet: string, length: number): string {
  return Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join('');
}

function several(count: number, make: () => string): string[] {
  return Array.from({ length: count }, make);
}

async function init(examples: readonly string[], name = 'acme') {
  const files = { 'keys.txt': `${examples.join('\n')}\n` };
  return postern(['init', 'scheme', '--name', name, '--example-file', 'keys.txt'], { files });
}

/** The scheme that is made of these examples, as `serve` reads it. */
async function schemeOf(
  examples: readonly string[],
): Promise<{ scheme: Scheme; written: Record<string, unknown> }> {
  const made = await init(examples);
  expect(made).toMatchObject({ exitCode: 0, stderr: '' });
  for (const example of examples) expect(made.stdout).not.toContain(example.slice(-8));
  const { config, problems } = examineSettings({ config: 'a.yaml', set: {} }, {}, () => made.stdout);
  expect(problems).toEqual([]);
  const [scheme] = config?.schemes ?? [];
  if (scheme === undefined) throw new Error('there is no scheme');
  expect(examples.filter((example) => recognise(scheme, example) === null)).toEqual([]);
  return { scheme, written: parse(made.stdout).schemes[0] };
}

it.each([
  [
    'one key of an environment',
    () => [`acme_live_${random(base62, 32)}`],
    { prefixes: { acme_live_: 'live' }, accept: { alphabet: '0-9A-Za-z', length: 32 } },
  ],
  [
    'keys of two environments',
    () => [`acme_live_${random(base62, 32)}`, `acme_test_${random(base62, 32)}`],
    { prefixes: { acme_live_: 'live', acme_test_: 'test' }, accept: { alphabet: '0-9A-Za-z', length: 32 } },
  ],
  [
    'keys whose prefix names no environment',
    () => several(3, () => `gate-${random(hex, 40)}`),
    { prefixes: { 'gate-': 'live' }, accept: { alphabet: '0-9a-f', length: 40 } },
  ],
  [
    'keys of base64url',
    () => several(4, () => `acme_test_${random(`${base62}_-`, 42)}_`),
    { prefixes: { acme_test_: 'test' }, accept: { alphabet: '0-9A-Za-z_-', length: 43 } },
  ],
  [
    'keys with letters in front and no sign behind them',
    () => several(5, () => `AKIA${random('ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', 30)}2`),
    { prefixes: { AKIA: 'live' }, accept: { length: 31 } },
  ],
  [
    'keys with upper case in front',
    () => several(2, () => `SG.${random(base62, 22)}.${random(base62, 43)}`),
    { prefixes: { 'SG.': 'live' }, accept: { alphabet: '0-9A-Za-z.', length: 66 } },
  ],
])(
  'reads the form of %s, accepts the examples and makes keys that look like them',
  async (_, make, expected) => {
    const examples = make();

    const { scheme, written } = await schemeOf(examples);

    expect(written).toMatchObject({
      name: 'acme',
      places: [{ header: 'Authorization', word: 'Bearer' }],
      ...expected,
      mint: expected.accept,
    });
    for (const environment of Object.values(expected.prefixes)) {
      const key = mintSecret(scheme, environment)?.secret.reveal() ?? '';
      expect(key).toHaveLength(examples[0]?.length ?? 0);
      expect(recognise(scheme, key)?.environment).toBe(environment);
    }
  },
);

it("knows GitHub's checksum when it sees it", async () => {
  const make = () => {
    const text = `acme_${random(base62, 30)}`;
    return text + crc32Checksum.make(text);
  };

  const { scheme, written } = await schemeOf([make(), make()]);

  expect(written).toMatchObject({ checksum: 'crc32', accept: { length: 30 } });
  expect(recognise(scheme, `${make().slice(0, -1)}!`)).toBeNull();
});

it('accepts keys without a prefix, and makes none', async () => {
  const uuids = several(2, () => [8, 4, 4, 4, 12].map((length) => random(hex, length)).join('-'));

  for (const examples of [uuids, [random(hex, 40)]]) {
    const { scheme, written } = await schemeOf(examples);
    expect(written).toMatchObject({ prefixes: { '': 'live' } });
    expect(scheme.mint).toBeNull();
  }
});

it('makes keys with enough random bits where the examples have fewer, and accepts both', async () => {
  const { scheme } = await schemeOf(several(2, () => `acme_live_${random(hex, 16)}`));

  const key = mintSecret(scheme, 'live')?.secret.reveal() ?? '';

  expect(key).toHaveLength('acme_live_'.length + 32);
  expect(recognise(scheme, key)).not.toBeNull();
});

it('takes every key of a form from a dozen examples of it, many times over', async () => {
  for (let time = 0; time < 50; time++) {
    const make = () => `acme_${random(`${base62}_-`, 43)}`;
    const { scheme } = await schemeOf(several(12, make));
    const others = several(20, make);
    expect(others.filter((key) => recognise(scheme, key) === null)).toEqual([]);
  }
});

it('reads examples from standard input, with the line ends of Windows and empty lines', async () => {
  const stdin = `\r\nacme_live_${random(base62, 32)}\r\n\r\nacme_live_${random(base62, 32)}\r\n`;

  const made = await postern(['init', 'scheme', '--name', 'acme', '--example-file', '-'], { stdin });

  expect(made).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('length: 32') });
});

it.each([
  ['no example', () => [], /there is no example key/],
  ['a header in place of a key', () => [`Bearer ${random(base62, 32)}`], /the key alone, one a line/],
  ['a word', () => ['acme_live_abc'], /fewer than 8/],
  ['a short secret without a prefix', () => ['hunter22'], /fewer than 16/],
  ['a comma', () => [`acme_${random(base62, 20)},${random(base62, 20)}`], /a comma/],
  [
    'a JSON Web Token',
    () => [`eyJ${random(base62, 20)}.${random(base62, 20)}.${random(base62, 20)}`],
    /jwt_authn/,
  ],
  [
    "the product's own prefix",
    () => [`${'pst'}_live_${random(base62, 32)}`],
    /a key could belong to two schemes/,
  ],
  [
    'different words',
    () => [`acme_${random(base62, 32)}`, `beta_${random(base62, 32)}`],
    /do not fit together/,
  ],
  [
    'two prefixes of one environment',
    () => [`acme_live_${random(base62, 32)}`, `beta_live_${random(base62, 32)}`],
    /do not fit together: several prefixes stand for live/,
  ],
  [
    'a prefix and none',
    () => [`acme_live_${random(base62, 32)}`, random(hex, 32)],
    /do not fit together: some have a prefix/,
  ],
  [
    'lengths of different kinds of keys',
    () => [`acme_live_${random(base62, 32)}`, `acme_live_${random(base62, 64)}`],
    /do not fit together/,
  ],
])('ends with 2, says why and repeats no example: %s', async (_, make, message) => {
  const examples = make();

  const refused = await init(examples);

  expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
  expect(refused.stderr).toMatch(message);
  for (const example of examples) expect(refused.stderr).not.toContain(example);
});

it.each(['postern', 'Acme', 'a b', ''])('refuses %j as a name', async (name) => {
  const refused = await init([`acme_live_${random(base62, 32)}`], name);

  expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
  expect(refused.stderr).toContain('name');
});
