import { CommandError, exitCodes } from '../terminal/command.ts';

/** One line of a file. */
export interface Line {
  /** From 1. */
  readonly number: number;
  readonly text: string;
  /** Whether a line feed ends it; it may be missing at the end of a file. */
  readonly isEnded: boolean;
}

/**
 * The lines of UTF-8 text that comes in pieces, without their line feeds. Throws a {@link CommandError} for a line
 * of more than `bytesMax`, so that a file that is no text does not fill memory.
 */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array | string>,
  bytesMax: number,
): AsyncGenerator<Line> {
  let number = 0;
  let begun: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    let rest = Buffer.from(chunk as Uint8Array);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      take(rest.subarray(0, end));
      yield line(true);
      rest = rest.subarray(end + 1);
    }
    if (rest.length > 0) take(rest);
  }
  if (bytes > 0) yield line(false);

  function take(part: Buffer): void {
    begun.push(part);
    bytes += part.length;
    if (bytes <= bytesMax) return;
    throw new CommandError(exitCodes.usage, [`line ${number + 1} is longer than ${bytesMax} bytes`]);
  }

  function line(isEnded: boolean): Line {
    const text = Buffer.concat(begun).toString();
    begun = [];
    bytes = 0;
    number += 1;
    return { number, text, isEnded };
  }
}
