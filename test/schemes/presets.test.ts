import { STATUS_CODES } from 'node:http';
import { describe, expect, it } from 'vitest';
import { presetNames, readPresets } from '../../src/presets/read.ts';
import { reasons } from '../../src/schemes/answer.ts';
import { mintSecret, recognise, type Scheme } from '../../src/schemes/scheme.ts';
import { overlappingPrefixes } from '../../src/settings/schemes/scheme-problems.ts';

const presets = readPresets();
const schemes = [...presets.values()];

describe.each(presetNames)('the preset %s', (name) => {
  const scheme = presets.get(name) as Scheme;

  it('recognises each key that it makes, and no other scheme does', () => {
    for (const { environment } of scheme.prefixes) {
      const minted = mintSecret(scheme, environment)?.secret.reveal() ?? '';
      const takers = schemes.filter((candidate) => recognise(candidate, minted) !== null);
      expect(takers.map((taker) => taker.name)).toEqual([name]);
      expect(recognise(scheme, minted)?.environment).toBe(environment);
    }
  });

  it('makes no key for an environment that it has no prefix for', () => {
    expect(mintSecret(scheme, 'staging')).toBeNull();
  });

  it('answers every reason with JSON', () => {
    for (const reason of reasons) {
      const body = JSON.parse(scheme.answers[reason].body({})) as {
        error?: { message: string };
        detail?: string;
      };
      expect(body.error?.message ?? body.detail).toBeTypeOf('string');
      expect(scheme.answers[reason].status).toBeGreaterThanOrEqual(400);
    }
  });
});

describe('presets', () => {
  it('share no prefix with one another', () => {
    expect(overlappingPrefixes(schemes)).toEqual([]);
  });

  // Scanners know some of these prefixes: the bodies are made here, so that none stands in a file.
  it.each([
    ['mavera', 'mvra_live_', 'x'.repeat(22), true],
    ['mavera', 'mvra_live_', 'x'.repeat(21), false],
    ['mavera', 'mvra_test_', 'x'.repeat(32), false],
    ['powerverse', 'ak_live_', 'x'.repeat(20), true],
    ['powerverse', 'ak_live_', 'x'.repeat(19), false],
    ['powerverse', 'ak_live_', `${'x'.repeat(20)}_`, false],
    ['converra', 'sk_test_', `${'x'.repeat(15)}_`, true],
    ['converra', 'sk_test_', 'x'.repeat(15), false],
    ['modelriver', 'mr_live_', `${'x'.repeat(15)}-`, true],
    ['modelriver', 'mr_live_', 'x'.repeat(15), false],
    ['mira', 'sk-mira-', 'a1'.repeat(20), true],
    ['mira', 'sk-mira-', 'A1'.repeat(20), false],
    ['mira', 'sk-mira-', `${'a1'.repeat(20)}0`, false],
    ['mira', 'SK-MIRA-', 'a1'.repeat(20), false],
  ])('%s takes %s%s: %s', (name, prefix, body, taken) => {
    expect(recognise(presets.get(name as 'mira') as Scheme, prefix + body) !== null).toBe(taken);
  });

  it('called problem answers every reason as RFC 9457 has it, with the status and its name in the body', () => {
    const { answers } = presets.get('problem') as Scheme;
    for (const reason of reasons) {
      const { status, headers, body } = answers[reason];
      const types = headers.flatMap(([name, value]) =>
        name.toLowerCase() === 'content-type' ? [value] : [],
      );
      expect([reason, types]).toEqual([reason, ['application/problem+json']]);
      const detail = expect.stringMatching(/\.$/);
      const problem = { type: 'about:blank', title: STATUS_CODES[status], status, detail };
      expect(JSON.parse(body({}))).toMatchObject(problem);
    }
  });

  it('turn away a key of the product whose checksum is wrong, at any character', () => {
    const scheme = presets.get('postern') as Scheme;
    const minted = mintSecret(scheme, 'live')?.secret.reveal() ?? '';
    for (let at = 0; at < minted.length; at++) {
      const other = minted.charAt(at) === 'a' ? 'b' : 'a';
      expect(recognise(scheme, minted.slice(0, at) + other + minted.slice(at + 1))).toBeNull();
    }
    expect(recognise(scheme, `${minted}0`)).toBeNull();
    expect(recognise(scheme, minted.slice(0, -1))).toBeNull();
  });
});
