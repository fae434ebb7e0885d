import { rateHeader } from '../../check/rate-headers.ts';
import type { Standing } from '../../limits/verdict.ts';
import { BackwardWriter } from './backward-writer.ts';
import { writeHeader } from './response-fields.ts';

/** The headers, encoded, with the places of their numbers. */
interface Template {
  readonly bytes: Uint8Array;
  readonly limitAt: number;
  readonly remainingAt: number;
  /** Below 0 where there is none. */
  readonly resetAt: number;
  /** What stands there. */
  limit: number;
  reset: number;
}

/** More than the digits of any number that is told. */
const digitsMax = 32;

/**
 * Writes `x-ratelimit-limit`, `-remaining` and `-reset`: the same bytes for all whose numbers have as many digits, in
 * which the digits are put. Headers as texts took a third of what a limit cost a Check.
 */
export function createWriteRateHeaders(
  headersTag: number,
): (writer: BackwardWriter, standing: Pick<Standing, 'limit' | 'remaining' | 'resetAt'>) => void {
  const making = new BackwardWriter();
  const templates = new Map<number, Template>();

  return (writer, { limit, remaining, resetAt }) => {
    const reset = resetAt ?? 0;
    const [ofLimit, ofRemaining] = [digitsOf(limit), digitsOf(remaining)];
    const ofReset = resetAt === null ? 0 : digitsOf(resetAt);
    const digits = (ofLimit * digitsMax + ofRemaining) * digitsMax + ofReset;
    let template = templates.get(digits);
    if (template === undefined) {
      template = make(ofLimit, ofRemaining, ofReset);
      templates.set(digits, template);
    }
    const { bytes } = template;
    if (template.limit !== limit) putDigits(bytes, template.limitAt, ofLimit, limit);
    if (template.reset !== reset) putDigits(bytes, template.resetAt, ofReset, reset);
    template.limit = limit;
    template.reset = reset;
    putDigits(bytes, template.remainingAt, ofRemaining, remaining);
    writer.encoded(bytes);
  };

  function make(ofLimit: number, ofRemaining: number, ofReset: number): Template {
    const write = (name: string, digits: number) =>
      writeHeader(making, headersTag, name, '0'.repeat(digits)) + digits;
    const reset = ofReset === 0 ? 0 : write(rateHeader.reset, ofReset);
    const remaining = write(rateHeader.remaining, ofRemaining);
    const limit = write(rateHeader.limit, ofLimit);
    const bytes = Uint8Array.from(making.take());
    const { length } = bytes;
    return {
      bytes,
      limitAt: length - limit,
      remainingAt: length - remaining,
      resetAt: length - reset,
      ...{ limit: 0, reset: 0 },
    };
  }
}

/** Of a whole number of 0 or more. */
function digitsOf(value: number): number {
  let digits = 1;
  for (let bound = 10; value >= bound; bound *= 10) digits++;
  return digits;
}

function putDigits(bytes: Uint8Array, from: number, digits: number, value: number): void {
  let rest = value;
  for (let at = from + digits - 1; at >= from; at--) {
    const tens = Math.floor(rest / 10);
    bytes[at] = 0x30 + rest - 10 * tens;
    rest = tens;
  }
}
