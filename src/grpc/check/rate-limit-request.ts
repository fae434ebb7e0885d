import type { LimitHit } from '../../limits/hits.ts';
import { RpcError, rpcStatus } from '../../net/rpc.ts';
import { WireFields } from './wire-fields.ts';

/** Descriptors in one request. */
const descriptorsMax = 100;
const unitsMax = 1e15;
const domain = 'postern';

/** Tags: field × 8 + wire type, 2 for texts and messages, 0 for numbers. */
const request = { domain: 10, descriptors: 18, hitsAddend: 24 } as const;
const descriptor = { entries: 10, hitsAddend: 26, isNegative: 32 } as const;
const entry = { key: 10, value: 18 } as const;
const wrapped = 8;

interface Descriptor {
  readonly entries: readonly (readonly [key: string, value: string])[];
  readonly hits: number | null;
  readonly isNegative: boolean;
}

/**
 * Reads an `envoy.service.ratelimit.v3.RateLimitRequest`, in which the descriptors' own `hits_addend` is newer than
 * the protos that we generate from. Throws an {@link RpcError} INVALID_ARGUMENT that says what is wrong with it.
 */
export function readLimitHits(bytes: Uint8Array): readonly LimitHit[] {
  const descriptors: Descriptor[] = [];
  let asked = '';
  let hits = 0;
  eachField(bytes, (tag, value) => {
    if (tag === request.domain) asked = textOf(value);
    else if (tag === request.hitsAddend) hits = numberOf(value);
    else if (tag === request.descriptors) descriptors.push(readDescriptor(value));
    if (descriptors.length > descriptorsMax) throw invalid(`has more than ${descriptorsMax} descriptors`);
  });
  if (asked !== domain) throw invalid(`is for another domain than "${domain}"`);
  if (descriptors.length === 0) throw invalid('has no descriptors');
  return descriptors.map((one) => hitOf(one, hits === 0 ? 1 : hits));
}

function hitOf({ entries, hits, isNegative }: Descriptor, ofRequest: number): LimitHit {
  const named = new Map(entries);
  const keyId = named.get('key_id');
  if (keyId === undefined) throw invalid('has a descriptor without the entry key_id');
  const others = [...named.keys()].some((key) => key !== 'key_id' && key !== 'limit');
  if (others || named.size < entries.length) {
    throw invalid('has a descriptor with other entries than one key_id and one limit');
  }
  const units = hits ?? ofRequest;
  if (units > unitsMax) throw invalid(`has a hits_addend of more than ${unitsMax}`);
  return { keyId, limit: named.get('limit') ?? null, units: isNegative ? -units : units };
}

function readDescriptor(bytes: Uint8Array): Descriptor {
  const entries: [string, string][] = [];
  let hits: number | null = null;
  let isNegative = false;
  eachField(bytes, (tag, value) => {
    if (tag === descriptor.entries) entries.push(readEntry(value));
    else if (tag === descriptor.hitsAddend) hits = readWrapped(value);
    else if (tag === descriptor.isNegative) isNegative = numberOf(value) !== 0;
  });
  return { entries, hits, isNegative };
}

function readEntry(bytes: Uint8Array): [string, string] {
  const pair: [string, string] = ['', ''];
  eachField(bytes, (tag, value) => {
    if (tag === entry.key) pair[0] = textOf(value);
    else if (tag === entry.value) pair[1] = textOf(value);
  });
  return pair;
}

function readWrapped(bytes: Uint8Array): number {
  let number = 0;
  eachField(bytes, (tag, value) => {
    if (tag === wrapped) number = numberOf(value);
  });
  return number;
}

function eachField(bytes: Uint8Array, tell: (tag: number, value: Uint8Array) => void): void {
  const fields = new WireFields(bytes);
  while (fields.at < bytes.length) {
    let tag: number;
    try {
      tag = fields.next(bytes.length);
    } catch {
      throw invalid('is not protobuf that can be read');
    }
    tell(tag, bytes.subarray(fields.from, fields.to));
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
}

/** A varint of up to 64 bits, of which what a number cannot say exactly is more than any bound here. */
function numberOf(bytes: Uint8Array): number {
  let value = 0;
  for (let at = bytes.length - 1; at >= 0; at--) value = value * 128 + ((bytes[at] as number) & 0x7f);
  return value;
}

function invalid(what: string): RpcError {
  return new RpcError(rpcStatus.invalidArgument, `the request ${what}`);
}
