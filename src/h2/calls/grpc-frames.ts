/** gRPC's answers as header blocks. None of their fields goes into the peer's table, so blocks are alike always. */
import { flag, frame, frameHeaderBytes, frameType } from '../frame.ts';

/** `:status: 200` is entry 8 of the static table, `content-type` is 31 and `:status` with another value 8. */
const status200 = Buffer.of(0x88);
const statusIndex = 8;
const contentTypeIndex = 31;
const allowIndex = 22;

const opening = Buffer.concat([status200, indexedName(contentTypeIndex, 'application/grpc')]);

/** The prefix of a message (gRPC over HTTP/2, "Length-Prefixed-Message"): a flag and four bytes of length. */
export const prefixBytes = 5;

const dataHeader = Buffer.alloc(frameHeaderBytes + prefixBytes);

/** HEADERS, and the start of a DATA frame with one message: lengths and streams are filled in. */
export const answerStart = Buffer.concat([frame(frameType.headers, flag.endHeaders, 0, opening), dataHeader]);
/** Where that DATA frame begins. */
export const answerDataAt = answerStart.length - dataHeader.length;

/** The block that opens an answer, for what is not written in one go. */
export const openingBlock = opening;

/** `grpc-status: 0`. */
export const okTrailersBlock = namedField('grpc-status', '0');
export const okTrailers = frame(frameType.headers, flag.endHeaders | flag.endStream, 0, okTrailersBlock);

/** How much of a message is told to the caller. */
const messageCharactersMax = 1_024;

/** The fields that end a call which failed. */
export function statusBlock(code: number, message: string): Buffer {
  const fields = [namedField('grpc-status', String(code))];
  if (message !== '') fields.push(namedField('grpc-message', percentEncode(message)));
  return Buffer.concat(fields);
}

/** The only encoding of messages that is known; told to whoever used another (gRPC, "Compression"). */
export const acceptedEncodings = namedField('grpc-accept-encoding', 'identity');

/** Headers of an answer that is no gRPC: its body says what this port is. */
export function httpBlock(status: number): Buffer {
  const fields = [indexedName(statusIndex, String(status)), indexedName(contentTypeIndex, 'text/plain')];
  if (status === 405) fields.push(indexedName(allowIndex, 'POST'));
  return Buffer.concat(fields);
}

export const httpBody = Buffer.from('This port speaks gRPC.\n');

/** gRPC over HTTP/2, "Status-Message": all but printable ASCII, and the percent sign itself, as bytes of UTF-8. */
function percentEncode(message: string): string {
  const text = message.slice(0, messageCharactersMax).toWellFormed();
  return text.replaceAll(/[^\x20-\x24\x26-\x7e]/gu, (character) =>
    [...Buffer.from(character)]
      .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
      .join(''),
  );
}

/** A literal field without indexing (RFC 7541, section 6.2.2), its name from the static table. */
function indexedName(index: number, value: string): Buffer {
  return Buffer.concat([integer(index, 0x0f, 0), literal(value)]);
}

function namedField(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0), literal(name), literal(value)]);
}

function literal(text: string): Buffer {
  return Buffer.concat([integer(text.length, 0x7f, 0), Buffer.from(text, 'latin1')]);
}

/** RFC 7541, section 5.1. */
function integer(value: number, mask: number, pattern: number): Buffer {
  if (value < mask) return Buffer.of(pattern | value);
  const octets = [pattern | mask];
  let rest = value - mask;
  for (; rest >= 0x80; rest >>>= 7) octets.push((rest & 0x7f) | 0x80);
  octets.push(rest);
  return Buffer.from(octets);
}
