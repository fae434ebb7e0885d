import fc from 'fast-check';
import { expect, it } from 'vitest';
import { foldedForms, foldText, isVisible } from '../../src/keys/name-text.ts';

it.each([
  ...['', '   ', '\u00a0\u3000', '\u200b', '\u2060', '\u00ad', '\u3164', '\uffa0', '\u115f\u1160', '\u034f'],
  ...['\u0301', '\u20dd', '\u180e', '\ufe0f', '\u2800', '\ufeff', '\u200d \u200c', '\u{e0041}', '\u{1d159}'],
])('sees nothing in %j', (text) => {
  expect(isVisible(text)).toBe(false);
});

it.each(['a', ' \u200ba', 'é', 'e\u0301', '.', '鍵', 'ㅎ', '🔑', '❤️', '\u{1f8ff}'])(
  'sees something in %j',
  (text) => {
    expect(isVisible(text)).toBe(true);
  },
);

it('folds a text to the same whatever its case and its Unicode form', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      for (const form of ['NFC', 'NFD'] as const) expect(foldText(text.normalize(form))).toBe(foldText(text));
      expect(foldedForms(text)).toContain(foldText(text) || text);
      expect(foldText(foldText(text))).toBe(foldText(text));
    }),
    { numRuns: 500 },
  );
  for (const [one, other] of [
    ['Café', 'CAFE\u0301'],
    ['STRASSE', 'straße'],
    ['GROẞ', 'groß'],
    ['ＡＢＣ', 'abc'],
    ['ὈΔΥΣΣΕΎΣ', 'ὀδυσσεύς'],
  ] as const) {
    expect(foldText(one)).toBe(foldText(other));
  }
});
