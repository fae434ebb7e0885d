import { describe, expect, it } from 'vitest';
import type { Authorize, Decision } from '../../src/check/authorize.ts';
import { createAnswer } from '../../src/grpc/check/check-server.ts';
import { CheckRequest, CheckResponse } from '../../src/grpc/gen/envoy/service/auth/v3/external_auth.ts';
import { readPresets } from '../../src/presets/read.ts';
import type { Scheme } from '../../src/schemes/scheme.ts';
import { keyRecord } from '../records.ts';

const postern = readPresets().get('postern') as Scheme;
const terms = { environment: 'live', address: '', permissions: [], cost: 1 };
const allowed: Decision = {
  verdict: 'allow',
  owner: null,
  key: keyRecord(),
  scheme: postern,
  permissions: [],
  withheld: { headers: ['authorization'], changed: [], parameters: [] },
  plan: null,
  rate: null,
};

describe('an answer to a Check', () => {
  it.each([
    ['bytes that are no message', Buffer.from('rubbish that is not a protobuf at all')],
    ['a message cut short', checkRequest({ authorization: 'Bearer x' }).subarray(0, 20)],
    ['nothing', Buffer.alloc(0)],
    ['no HTTP attributes', Buffer.from(CheckRequest.encode({ attributes: attributes() }).finish())],
    ['a hundred nested messages', nested(10_000)],
  ])('is a denial with its status for %s', async (_, bytes) => {
    const { answer } = setUp(() => allowed);
    expectDenied(await answer(bytes), 401);
  });

  it('is a denial when the decision throws, at once or later, whatever Envoy does on errors', async () => {
    const bug = new TypeError('bug');
    const throwing = setUp(() => {
      throw bug;
    });
    expectDenied(await throwing.answer(checkRequest({})), 503);
    const rejecting = setUp(() => Promise.reject(bug));
    expectDenied(await rejecting.answer(checkRequest({})), 503);
    expect([...throwing.broken, ...rejecting.broken]).toEqual([bug, bug]);
  });

  it('that is given later stays as it is, whatever is answered before it is sent', async () => {
    const { answer } = setUp((request) =>
      request.header('x-later').length > 0
        ? Promise.resolve(allowed)
        : { ...allowed, key: keyRecord({ name: 'another' }) },
    );
    const later = await answer(checkRequest({ 'x-later': 'yes' }));
    const asGiven = Buffer.from(later);
    await answer(checkRequest({}));
    expect(asGiven.equals(later)).toBe(true);
  });

  it('is a denial when the decision is of no kind there is', async () => {
    const { answer } = setUp(() => ({ verdict: 'shrug' }) as never);
    expectDenied(await answer(checkRequest({})), 503);
  });

  it("is an error_response for an unreachable store, so that the operator's failure mode decides", async () => {
    const { answer } = setUp(() => ({
      verdict: 'deny',
      reason: 'unavailable',
      scheme: postern,
      key: null,
      terms,
      rate: null,
    }));
    const bytes = await answer(checkRequest({}));
    const { status, httpResponse } = CheckResponse.decode(bytes);
    expect(status?.code).toBe(14);
    expect(httpResponse).toBeUndefined();
    expect(fieldsOf(bytes)).toContain(5);
  });

  it('counts no body: a request that is long without it is unavailable, never invalid and never let in', async () => {
    const { answer } = setUp(() => allowed);
    const long = 'x'.repeat(1_048_577);
    expectDenied(await answer(checkRequest({ 'x-long': long })), 503);
    for (const http of [
      { body: long },
      { rawBody: Buffer.from(long) },
      { body: long, rawBody: Buffer.alloc(3_000_000, 0xff) },
    ]) {
      const bytes = checkRequest({}, undefined, http);
      expect(CheckResponse.decode(await answer(bytes)).httpResponse?.$case).toBe('okResponse');
    }
    const cut = checkRequest({ 'x-long': long }).subarray(0, 1_048_600);
    expectDenied(await answer(cut), 401);
  });

  it('replaces each header that it sets, and removes what it does not set', async () => {
    const { answer } = setUp(() => allowed);
    const bytes = await answer(
      checkRequest({ 'x-postern-key-id': 'forged', 'x-postern-owner': 'forged', 'x-other': 'kept' }),
    );
    const { status, httpResponse } = CheckResponse.decode(bytes);
    if (httpResponse?.$case !== 'okResponse') throw new Error('not allowed');
    const { headers, headersToRemove } = httpResponse.value;
    expect(status?.code).toBe(0);
    const names = headers.map(({ header }) => header?.key);
    expect(new Set(names).size).toBe(names.length);
    expect(headers.every(({ append, appendAction }) => append === false && appendAction === 2)).toBe(true);
    expect(headersToRemove).toEqual(['authorization', 'x-postern-owner']);
    expect(headersToRemove.filter((name) => names.includes(name))).toEqual([]);
  });

  it('leaves the credential where nothing is withheld', async () => {
    const withheld = { headers: [], changed: [], parameters: [] };
    const { answer } = setUp(() => ({ ...allowed, withheld }) as Decision);
    const { httpResponse } = CheckResponse.decode(await answer(checkRequest({})));
    if (httpResponse?.$case !== 'okResponse') throw new Error('not allowed');
    expect(httpResponse.value.headersToRemove).toEqual([]);
  });

  it('carries the key in dynamic metadata, and the reason of a denial', async () => {
    const key = keyRecord({
      owner: 'acme',
      permissions: ['a'],
      labels: { team: 'x' },
      plan: 'pro',
      name: 'Käse',
    });
    const allow = setUp(() => ({ ...allowed, key, permissions: key.permissions, plan: 'pro' }) as Decision);
    expect(CheckResponse.decode(await allow.answer(checkRequest({}))).dynamicMetadata).toEqual({
      key_id: key.id,
      key_name: 'Käse',
      owner: 'acme',
      plan: 'pro',
      scheme: 'postern',
      environment: 'live',
      permissions: ['a'],
      labels: { team: 'x' },
    });
    const deny = setUp(() => ({
      verdict: 'deny',
      reason: 'expired',
      scheme: postern,
      key,
      terms,
      rate: null,
    }));
    const { dynamicMetadata } = CheckResponse.decode(await deny.answer(checkRequest({})));
    expect(dynamicMetadata).toEqual({ reason: 'expired', key_id: key.id });
  });

  it('reads raw headers apart and as bytes, and joined ones as they are', async () => {
    const seen: (readonly string[])[] = [];
    const { answer } = setUp((request) => {
      seen.push(request.header('authorization'));
      return { verdict: 'public' };
    });
    const raw = (text: string) => ({
      key: 'Authorization',
      value: '',
      rawValue: Buffer.from(text, 'latin1'),
    });
    await answer(checkRequest({}, { headers: [raw('one'), raw('\xff\x80')] }));
    await answer(checkRequest({ authorization: 'one,two' }));
    await answer(checkRequest({ constructor: 'x', __proto__: 'y' }));
    expect(seen).toEqual([['one', '\xff\x80'], ['one,two'], []]);
  });
});

function setUp(authorize: Authorize) {
  const broken: unknown[] = [];
  const answer = createAnswer({
    authorize,
    fallbackScheme: () => postern,
    onDecision: () => {},
    onBroken: (error) => broken.push(error),
    unavailableAs: 'error_response',
  });
  return { answer, broken };
}

function expectDenied(bytes: Uint8Array, httpStatus: number): void {
  const { status, httpResponse } = CheckResponse.decode(bytes);
  expect(status?.code).toBeGreaterThan(0);
  if (httpResponse?.$case !== 'deniedResponse') throw new Error('no denial');
  expect(httpResponse.value.status?.code).toBe(httpStatus);
}

function attributes() {
  return {
    source: undefined,
    destination: undefined,
    request: undefined,
    contextExtensions: {},
    metadataContext: undefined,
    routeMetadataContext: undefined,
    tlsSession: undefined,
  };
}

function checkRequest(
  headers: Record<string, string>,
  headerMap?: { headers: { key: string; value: string; rawValue: Uint8Array }[] },
  bodies: { body?: string; rawBody?: Uint8Array } = {},
): Buffer {
  const http = {
    id: '',
    method: 'GET',
    headers,
    headerMap,
    path: '/',
    host: 'api.example.com',
    scheme: 'http',
    query: '',
    fragment: '',
    size: 0,
    protocol: 'HTTP/1.1',
    body: '',
    rawBody: new Uint8Array(),
    ...bodies,
  };
  return Buffer.from(
    CheckRequest.encode({ attributes: { ...attributes(), request: { time: undefined, http } } }).finish(),
  );
}

/** The field numbers at the top of a message. */
function fieldsOf(bytes: Uint8Array): number[] {
  const fields: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at] ?? 0;
    fields.push(tag >> 3);
    let [length, shift] = [0, 0];
    do {
      at++;
      length |= ((bytes[at] ?? 0) & 0x7f) << shift;
      shift += 7;
    } while (((bytes[at] ?? 0) & 0x80) !== 0);
    at += 1 + length;
  }
  return fields;
}

function nested(depth: number): Buffer {
  let bytes = Buffer.alloc(0);
  for (let level = 0; level < depth && bytes.length < 100_000; level++) {
    bytes = Buffer.concat([Buffer.from([0x0a, ...varint(bytes.length)]), bytes]);
  }
  return bytes;
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >> 7)];
}
