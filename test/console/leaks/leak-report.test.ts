import { expect, it } from 'vitest';
import { isFault, readReport } from '../../../src/console/pages/leaks/leak-report.ts';

const nowhere = { url: '', source: '' };
const found = { url: 'https://paste.example', source: 'a scan' };

it.each([
  ['a key on each line', ' one \r\n\n"two",\nAuthorization: Bearer three\n', ['one', 'two', 'three']],
  ['a list of keys', '["one", "two"]', ['one', 'two']],
  ['the body of the API', '{"keys":[{"key":"one"},{"key":"two"}]}', ['one', 'two']],
  ['the message of a secret scanner', '[{"token":"one","type":"postern_key"}]', ['one']],
])('reads %s', (_, text, keys) => {
  expect(readReport(text, nowhere)).toEqual(keys.map((key) => ({ key })));
  expect(readReport(text, found)).toEqual(keys.map((key) => ({ key, ...found })));
});

it('keeps what a message says of a key itself', () => {
  const text = '[{"token":"one","url":"https://example.com/a","source":"content"},{"token":"two"}]';
  expect(readReport(text, found)).toEqual([
    { key: 'one', url: 'https://example.com/a', source: 'content' },
    { key: 'two', ...found },
  ]);
});

it('says what is wrong with a report, and nothing that is in it', () => {
  for (const [text, problem] of [
    [' \n ', /no key in it/],
    ['[]', /no key in it/],
    ['{"secret": "hidden"}', /form that is not known/],
    ['[{"type":"hidden"}]', /form that is not known/],
    ['[hidden', /form that is not known/],
    [Array.from({ length: 1_001 }, (_, at) => `hidden${at}`).join('\n'), /at most 1000 keys/],
  ] as const) {
    const read = readReport(text, nowhere);
    expect(isFault(read) && read.description).toMatch(problem);
    expect(JSON.stringify(read)).not.toContain('hidden');
  }
});
