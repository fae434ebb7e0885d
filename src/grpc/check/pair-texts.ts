import type { Pairs } from './check-layout.ts';

export function textAt(bytes: Buffer, from: number, to: number): string {
  return from === to ? '' : bytes.toString('utf8', from, to);
}

export function textOfName(bytes: Buffer, pairs: Pairs, pair: number): string {
  return textAt(bytes, pairs.nameAt(pair), pairs.nameEnd(pair));
}

/** Bytes are read as Latin-1, so that nothing turns into a character it was not. */
export function textOfValue(bytes: Buffer, pairs: Pairs, pair: number): string {
  const from = pairs.valueAt(pair);
  const to = pairs.valueEnd(pair);
  return pairs.isRaw(pair) ? bytes.toString('latin1', from, to) : textAt(bytes, from, to);
}

/** Of a name that comes twice, the last value, as in any map of protobuf. */
export function mapOf(bytes: Buffer, pairs: Pairs): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  for (let pair = 0; pair < pairs.count; pair++)
    map.set(textOfName(bytes, pairs, pair), textOfValue(bytes, pairs, pair));
  return map;
}
