/**
 * What a Check came to, as a number: {@link allowed}; the HTTP status of a denial (401, 429, …); that status
 * and {@link errorBase} for an `error_response`; {@link nonsense}; {@link rpcFailed}.
 */
export type Outcome = number;

export const allowed = 0;
export const errorBase = 1000;
/** Neither an allow nor a denial that Envoy would understand, an empty CheckResponse included. */
export const nonsense = -1;
/** A status of 0 without an OkHttpResponse: Envoy lets the request in as it is. */
export const bareAllowed = -3;
/** Another status without a DeniedHttpResponse: Envoy answers 403. */
export const bareDenied = -4;
/** A gRPC status other than 0, or a stream that was reset. */
export const rpcFailed = -2;

/** What a caller of Envoy sees of it. */
export function seenByCaller(outcome: Outcome): Outcome {
  if (outcome === bareAllowed) return allowed;
  return outcome === bareDenied ? 403 : outcome;
}

export function outcomeName(outcome: Outcome): string {
  if (outcome === allowed) return 'allowed';
  if (outcome === bareAllowed) return 'allowed without a word';
  if (outcome === bareDenied) return 'denied without a word';
  if (outcome === nonsense) return 'not an answer';
  if (outcome === rpcFailed) return 'gRPC error';
  return outcome > errorBase ? `error ${outcome - errorBase}` : `denied ${outcome}`;
}

const statusTag = tag(1);
const deniedTag = tag(2);
const okTag = tag(3);
const errorTag = tag(5);

/** Reads no more of the CheckResponse in `bytes[at, end)` than decides its outcome. */
export function readOutcome(bytes: Buffer, at: number, end: number): Outcome {
  let code = -1;
  let outcome = nonsense;
  const reader = { bytes, at };
  while (reader.at < end) {
    const field = readVarint(reader);
    const fieldEnd = readVarint(reader) + reader.at;
    if (fieldEnd > end) return nonsense;
    if (field === statusTag) code = readFirstNumber(reader, fieldEnd);
    else if (field === okTag) outcome = allowed;
    else if (field === deniedTag) outcome = readDenial(reader, fieldEnd);
    else if (field === errorTag) outcome = errorBase + readDenial(reader, fieldEnd);
    reader.at = fieldEnd;
  }
  if (code !== -1 && outcome === nonsense) return code === 0 ? bareAllowed : bareDenied;
  // Envoy goes by the code alone: an answer is believed here only if the two agree.
  return (code === 0) === (outcome === allowed) && code !== -1 ? outcome : nonsense;
}

interface Reader {
  readonly bytes: Buffer;
  at: number;
}

/** DeniedHttpResponse's first field is an HttpStatus, that one's is the number; 403 is Envoy's default. */
function readDenial(reader: Reader, end: number): number {
  if (reader.at >= end || readVarint(reader) !== statusTag) return 403;
  return readFirstNumber(reader, readVarint(reader) + reader.at) || 403;
}

/** The value of field 1, a varint that is left out when it is 0. */
function readFirstNumber(reader: Reader, end: number): number {
  return reader.at < end && reader.bytes[reader.at++] === 0x08 ? readVarint(reader) : 0;
}

function readVarint(reader: Reader): number {
  let value = 0;
  for (let shift = 0; shift < 28; shift += 7) {
    const byte = reader.bytes[reader.at++] ?? 0;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return value;
}

/** The tag of a length-delimited field. */
function tag(field: number): number {
  return (field << 3) | 2;
}
