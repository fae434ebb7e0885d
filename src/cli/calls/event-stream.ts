import { linesOf } from '../files/lines.ts';

/** What one block of a stream of Server-Sent Events says; members that it does not have are null. */
export interface StreamedEvent {
  readonly id: string | null;
  readonly data: string | null;
  /** How soon to come back after the stream ends. */
  readonly retryMs: number | null;
}

/** Reads Server-Sent Events (HTML Living Standard, section 9.2.6); what is cut off by the end is left out. */
export async function* streamedEvents(
  chunks: AsyncIterable<Uint8Array>,
  lineBytesMax: number,
): AsyncGenerator<StreamedEvent> {
  let id: string | null = null;
  let retryMs: number | null = null;
  let data: string[] = [];
  for await (const { text, isEnded } of linesOf(chunks, lineBytesMax)) {
    const line = text.replace(/\r$/, '');
    if (line === '' && isEnded) {
      yield { id, retryMs, data: data.length === 0 ? null : data.join('\n') };
      [id, retryMs, data] = [null, null, []];
      continue;
    }
    const colon = line.indexOf(':');
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'id') id = value;
    else if (name === 'data') data.push(value);
    else if (name === 'retry' && /^[0-9]{1,9}$/.test(value)) retryMs = Number(value);
  }
}
