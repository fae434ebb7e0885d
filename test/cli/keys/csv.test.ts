import fc from 'fast-check';
import { expect, it } from 'vitest';
import { csvLine, scanCsv } from '../../../src/cli/files/csv.ts';
import { recordCharactersMax, type TextRecord, textRecords } from '../../../src/cli/files/text-records.ts';

async function* inPieces(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let start = 0;
  for (let at = 0; start < bytes.length; at++) {
    const size = sizes[at % sizes.length] ?? bytes.length;
    yield bytes.subarray(start, start + size);
    start += size;
  }
}

async function read(text: string | Uint8Array, sizes: readonly number[] = [65_536]) {
  const records: TextRecord<readonly string[]>[] = [];
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  for await (const some of textRecords(inPieces(bytes, sizes), scanCsv)) records.push(...some);
  return records;
}

const cells = async (text: string, sizes?: readonly number[]) =>
  (await read(text, sizes)).map((record) => record.read.value);

const anyCell = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.stringMatching(/^["\r\n,;x ]{0,8}$/),
  fc.constantFrom('', '"', '""', '\r\n', '\n', '\r', ',', '=1+1', '$where', '__proto__', '\u202e', '\0'),
);
// U+FFFD stands for bytes that are no UTF-8.
const anyRecord = fc.array(
  anyCell.filter((cell) => !cell.includes('\ufffd')),
  { minLength: 1, maxLength: 6 },
);
const anySizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 });

it('reads what it has written, whatever the cells hold and however the bytes are cut', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyRecord, { maxLength: 8 }), anySizes, async (records, sizes) => {
      const text = records.map(csvLine).join('');
      expect(await cells(`\ufeff${text}`, sizes)).toEqual(records);
    }),
  );
});

it('reads the same with quotes around every cell, with LF alone, and without a line end at the end', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyRecord, { minLength: 1, maxLength: 8 }),
      anySizes,
      async (records, sizes) => {
        const quoted = records.map((record) =>
          record.map((cell) => `"${cell.replaceAll('"', '""')}"`).join(','),
        );
        expect(await cells(quoted.join('\n'), sizes)).toEqual(records);
        expect(await cells(`${quoted.join('\r\n')}\r\n`, sizes)).toEqual(records);
      },
    ),
  );
});

it('loses no line of any text: each is in a record, or in one that is at fault', async () => {
  const anyText = fc.stringMatching(/^[ab",\r\n]{0,60}$/);
  await fc.assert(
    fc.asyncProperty(anyText, anySizes, async (text, sizes) => {
      const records = await read(text, sizes);
      expect(records).toEqual(await read(text));
      const lines = records.map(({ line }) => line);
      expect(lines).toEqual(lines.toSorted((one, other) => one - other));
      expect(new Set(lines).size).toBe(lines.length);
      for (const [at, line] of text.split('\n').entries()) {
        if (line === '' && at > 0 && at === text.split('\n').length - 1) continue;
        const holder = records.findLast((record) => record.line <= at + 1);
        const spanned = holder?.read.value?.join('').split('\n').length ?? 1;
        if (text !== '') expect(at + 1 - (holder?.line ?? 0)).toBeLessThan(spanned);
      }
    }),
  );
});

it('spoils one line by a quote that is not closed, and by text behind one that is', async () => {
  const text = ['a,b', 'c,"d', 'e,f', '"g"h,i', 'j,k'].join('\n');
  expect((await read(text)).map(({ line, read: { value, fault } }) => [line, value ?? fault])).toEqual([
    [1, ['a', 'b']],
    [2, 'has text behind a closing quote'],
    [3, ['e', 'f']],
    [4, 'has text behind a closing quote'],
    [5, ['j', 'k']],
  ]);
  expect((await read('a\n"b\nc')).map(({ line, read: { value, fault } }) => [line, value ?? fault])).toEqual([
    [1, ['a']],
    [2, 'has a quote that is not closed'],
    [3, ['c']],
  ]);
});

it('takes a quote inside a cell that does not begin with one for itself', async () => {
  expect(await cells('5" pipe,{"a":1}\n')).toEqual([['5" pipe', '{"a":1}']]);
});

it('skips a record that is too long, at no more memory, and reads those after it', async () => {
  const long = 'x'.repeat(recordCharactersMax + 1);
  for (const sizes of [[1_000], [65_536], [1_000_000]]) {
    const quoted = `"${long}\n${long}"`;
    const records = await read(['a', long, 'b', quoted, 'c', long].join('\n'), sizes);
    expect(records.map(({ line, read: { value, fault } }) => [line, value?.[0] ?? fault])).toEqual([
      [1, 'a'],
      [2, 'is too long'],
      [3, 'b'],
      [4, 'is too long'],
      [5, 'is too long'],
      [6, 'c'],
      [7, 'is too long'],
    ]);
  }
});

it('spoils a line that is no UTF-8, and reads the others', async () => {
  const bytes = Buffer.concat([Buffer.from('a,b\nc,'), Buffer.from([0xff, 0xfe]), Buffer.from('\nd,é\n')]);
  expect((await read(bytes, [1])).map(({ read: { value, fault } }) => value ?? fault)).toEqual([
    ['a', 'b'],
    'is not UTF-8',
    ['d', 'é'],
  ]);
});
