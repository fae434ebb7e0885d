import { expect, it } from 'vitest';
import { judgePattern } from '../../../src/cli/config/pattern/judge.ts';

it.each([
  '[A-Za-z0-9]{32}',
  '[a-f0-9]{8}(?:-[a-f0-9]{4}){3}-[a-f0-9]{12}',
  '[a-z]+(?:-[a-z]+)*',
  String.raw`\w+-\w+`,
  String.raw`\p{L}+\d*`,
  String.raw`[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+`,
  '(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?',
  '[a-z]{2,8}[a-z0-9]{2,8}',
  '[a-zA-Z0-9_-]{20,1000}',
  '(?:foo|bar|baz)+',
  '(?:[a-z]{1,20}-){1,20}[0-9]{5}',
  '(?:a{0,5}){0,5}',
  '.*a.{20}',
  '(?=.*[0-9])(?=.*[a-z])[a-z0-9]{8,64}',
  '(?!test)[a-z]{10,}',
  '(?:(?!--)[a-z-])+',
  String.raw`([a-z]+)-\1`,
  String.raw`(?<part>[a-z]{4})-\k<part>`,
  '(?<=x)a+',
  String.raw`^\bfoo\b[^-]*$`,
])('%s is accepted: no text takes it long', (pattern) => {
  expect(judgePattern(pattern)).toBeNull();
});

it.each([
  ['(a+)+', 'aaaa'],
  ['(?:[A-Za-z0-9]+)+!', 'aaaa'],
  ['(a|a)*b', 'aaaa'],
  ['(a|aa)+', 'aaaa'],
  ['(a*)*', 'aaaa'],
  ['(?:(?:a?)+)*b', 'aaaa'],
  ['(x+x+)+y', 'xxxx'],
  ['(?:a|b|ab)*c', 'abab'],
  ['(a?b?)*', 'abab'],
  ['(?:[a-z]{3}|[a-z]{4})+', 'aaaa'],
  ['(?:a?){50}a{50}', 'a'],
  ['(?:|){20}b', 'b'],
  ['[a-z]+[a-z0-9]+', 'aaaa'],
  [String.raw`\w+_\w+`, '____'],
  [String.raw`[A-Za-z0-9._-]+\.[A-Za-z0-9._-]+`, '....'],
  [String.raw`(a+)\1`, 'aaaa'],
  ['(?=(a+)+b)a', 'aaaa'],
])('%s is refused, with a text that takes it long: %s…', (pattern, text) => {
  const problem = judgePattern(pattern);

  expect(problem).toMatch(
    /^can backtrack badly: a text such as "[^"]+" has too many ways to be read; expected /,
  );
  expect(problem).toContain(`"${text}`);
});

it('refuses a lookahead that reads the rest of a text at every place of it', () => {
  expect(judgePattern('(?:(?=.*x)[a-z])+')).toMatch(
    /^can backtrack badly: \(\?=\.\*x\) is read anew at up to 1024 places of a text; expected /,
  );
});

it.each([
  ['(?:[a-z]{1,1000}){1,1000}', 'it repeats too much'],
  ['(?i:a)b', 'i changes its flags'],
])('refuses %s, of which nothing can be shown', (pattern, reason) => {
  expect(judgePattern(pattern)).toBe(
    `cannot be shown to be quick on every text: ${reason}; expected a simpler pattern`,
  );
});

it('judges a pattern of the greatest length within seconds of processor time', () => {
  const patterns = ['(?:[a-z]{1,9}-)*'.repeat(62), `${'[a-z]?'.repeat(100)}x`, `(?:${'ab|'.repeat(330)}c)*`];

  for (const pattern of patterns) {
    const before = process.cpuUsage();
    judgePattern(pattern);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1_000, pattern).toBeLessThan(5_000);
  }
});
