import { keyLength } from '../common/keys.ts';
import { allowed, nonsense, type Outcome, readOutcome, rpcFailed } from './answer.ts';
import { flag, frameHeaderBytes, frameType } from './frame.ts';
import { callHeaders, createStatusReader, edgeHeaders, type StatusReader } from './header-block.ts';
import type { Requests } from './requests.ts';
import type { Wire } from './wire.ts';

/** What is called: how a call goes to the wire, and how its answer is read. */
export interface Calls {
  /** How many different ones there are. */
  readonly count: number;
  /** Of one call, frames included. */
  readonly callBytesMax: number;
  /** The part of them that flow control counts. */
  readonly bodyBytesMax: number;
  /** Puts down call `index`; answers how many bytes flow control counts. */
  send(wire: Wire, stream: number, index: number): number;
  createStatusReader(): StatusReader;
  /** Judges a body; undefined while it is not whole. */
  judge(bytes: Buffer, at: number, end: number): Outcome | undefined;
  /** What the status and the judged body come to, {@link nonsense} where there was no body. */
  outcome(status: number | undefined, judged: Outcome): Outcome;
}

/**
 * Checks over gRPC, as Envoy makes them.
 *
 * @param mention an allow without these bytes is nonsense; null: any will do
 */
export function checkCalls(requests: Requests, mention: Buffer | null): Calls {
  const headers = callHeaders('/envoy.service.auth.v3.Authorization/Check');
  return {
    count: requests.count,
    callBytesMax: 2 * frameHeaderBytes + headers.first.length + requests.bytesMax,
    bodyBytesMax: requests.bytesMax,
    send(wire, stream, index) {
      wire.sendFilled(frameType.headers, flag.endHeaders, stream, (target, at) => {
        const block = stream === 1 ? headers.first : headers.later;
        target.set(block, at);
        return block.length;
      });
      return wire.sendFilled(frameType.data, flag.endStream, stream, (target, at) =>
        requests.write(index, target, at),
      );
    },
    createStatusReader: () => createStatusReader('grpc-status'),
    judge(bytes, at, end) {
      if (end - at < 5 || bytes.readUInt32BE(at + 1) > end - at - 5) return undefined;
      if (bytes[at] !== 0 || bytes.readUInt32BE(at + 1) !== end - at - 5) return nonsense;
      const outcome = readOutcome(bytes, at + 5, end);
      const lacking = outcome === allowed && mention !== null && !bytes.subarray(at, end).includes(mention);
      return lacking ? nonsense : outcome;
    },
    outcome: (status, judged) => (status === 0 ? judged : rpcFailed),
  };
}

/** GET requests of one path with a key each, as a caller of Envoy makes them; bodies are not looked at. */
export function edgeCalls(keys: readonly string[]): Calls {
  const secrets = Buffer.from(keys.join(''), 'latin1');
  const headers = edgeHeaders('/v1/accounts', keyLength);
  return {
    count: keys.length,
    callBytesMax: frameHeaderBytes + headers.first.block.length,
    bodyBytesMax: 0,
    send(wire, stream, index) {
      const { block, keyAt } = stream === 1 ? headers.first : headers.later;
      wire.sendFilled(frameType.headers, flag.endHeaders | flag.endStream, stream, (target, at) => {
        target.set(block, at);
        secrets.copy(target, at + keyAt, index * keyLength, (index + 1) * keyLength);
        return block.length;
      });
      return 0;
    },
    createStatusReader: () => createStatusReader(':status'),
    judge: () => nonsense,
    outcome: (status) => (status === 200 ? allowed : (status ?? rpcFailed)),
  };
}
