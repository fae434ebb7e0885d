/** A record of a text, or what is wrong with it. */
export interface TextRecord<T> {
  /** The line that it begins on, from 1. */
  readonly line: number;
  readonly read: Read<T>;
}

export type Read<T> =
  | { readonly value: T; readonly fault: null }
  | { readonly value: null; readonly fault: string };

/**
 * Reads one record that begins at `start`. Null where the text may go on and more of it is needed. `end` is where the
 * next one begins.
 */
export type Scan<T> = (
  text: string,
  start: number,
  isWhole: boolean,
) => { readonly end: number; readonly read: Read<T> } | null;

/** Past it a record is not read: an open quote must not swallow the file. */
export const recordCharactersMax = 65_536;

/**
 * The records of UTF-8 text that comes in pieces, some at a time, whatever the length of the text. A record that can
 * not be read, is no UTF-8 or is longer than {@link recordCharactersMax} spoils its first line alone.
 */
export async function* textRecords<T>(
  chunks: AsyncIterable<Uint8Array | string>,
  scan: Scan<T>,
): AsyncGenerator<readonly TextRecord<T>[]> {
  const decoder = new TextDecoder();
  let text = '';
  let line = 1;
  let isSkipping = false;

  for await (const chunk of chunks) {
    text += decoder.decode(Buffer.from(chunk as Uint8Array), { stream: true });
    yield [...take(false)];
  }
  text += decoder.decode();
  yield [...take(true)];

  function* take(isWhole: boolean): Generator<TextRecord<T>> {
    let start = isSkipping ? restOfLine(0) : 0;
    while (start < text.length) {
      const found = scan(text, start, isWhole);
      if (found === null && !isWhole && text.length - start <= recordCharactersMax) break;
      const at = line;
      if (found !== null && found.end - start <= recordCharactersMax) {
        line += lineFeeds(text, start, found.end);
        const isBroken = text.slice(start, found.end).includes('\ufffd');
        start = found.end;
        yield { line: at, read: isBroken ? faulty('is not UTF-8') : found.read };
        continue;
      }
      const isOpen = found === null && text.length - start <= recordCharactersMax;
      start = restOfLine(start);
      yield { line: at, read: faulty(isOpen ? 'has a quote that is not closed' : 'is too long') };
    }
    text = text.slice(start);
  }

  /** Where the next line begins; what of this one is still to come is skipped. */
  function restOfLine(from: number): number {
    const feed = text.indexOf('\n', from);
    isSkipping = feed < 0;
    if (isSkipping) return text.length;
    line++;
    return feed + 1;
  }
}

export function faulty(fault: string): Read<never> {
  return { value: null, fault };
}

function lineFeeds(text: string, start: number, end: number): number {
  let count = 0;
  for (let at = text.indexOf('\n', start); at >= 0 && at < end; at = text.indexOf('\n', at + 1)) count++;
  return count;
}
