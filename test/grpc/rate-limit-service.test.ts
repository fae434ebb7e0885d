import { describe, expect, it } from 'vitest';
import { createRateLimitMethods } from '../../src/grpc/check/rate-limit-methods.ts';
import type { LimitHit, LimitStatus } from '../../src/limits/hits.ts';
import { RpcError } from '../../src/net/rpc.ts';
import { StoreUnavailable } from '../../src/store/store.ts';

type Bytes = readonly number[];
const varint = (value: number): Bytes =>
  value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
const number = (field: number, value: number): Bytes => [field * 8, ...varint(value)];
const message = (field: number, bytes: Bytes): Bytes => [field * 8 + 2, ...varint(bytes.length), ...bytes];
const text = (field: number, value: string) => message(field, [...Buffer.from(value)]);
const entry = (key: string, value: string) => message(1, [...text(1, key), ...text(2, value)]);
const descriptor = (...parts: Bytes[]) => message(2, parts.flat());
const postern = text(1, 'postern');

const status: LimitStatus = {
  ...{ name: 'monthly', limit: 2 ** 40, unit: 'MONTH', remaining: 2 ** 33, wasSpent: false },
  resetsInSeconds: 300,
};

async function ask(
  bytes: Bytes,
  answer: (hits: readonly LimitHit[]) => readonly LimitStatus[] | string = () => [],
) {
  const asked: LimitHit[] = [];
  const methods = createRateLimitMethods(async (hits) => {
    asked.push(...hits);
    return answer(hits);
  });
  const [method] = methods.values();
  if (method?.kind !== 'unary') throw new Error('it is a unary method');
  const told = await Promise.resolve()
    .then(() => method.handle(Uint8Array.from(bytes), { traceparent: '', tracestate: '' }))
    .then(
      (answered) => [...answered],
      (error: unknown) => error,
    );
  return { asked, told };
}

describe('a request to the rate limit service', () => {
  it('is read by its descriptors, whose own addend goes before that of the request', async () => {
    const { asked } = await ask([
      ...postern,
      ...descriptor(entry('key_id', 'key_a')),
      ...descriptor(entry('key_id', 'key_b'), entry('limit', 'monthly'), message(3, number(1, 1_200))),
      ...descriptor(entry('key_id', 'key_c'), message(3, [])),
      ...descriptor(entry('key_id', 'key_d'), message(3, number(1, 5)), number(4, 1)),
      ...number(3, 7),
    ]);
    expect(asked).toEqual([
      { keyId: 'key_a', limit: null, units: 7 },
      { keyId: 'key_b', limit: 'monthly', units: 1_200 },
      { keyId: 'key_c', limit: null, units: 0 },
      { keyId: 'key_d', limit: null, units: -5 },
    ]);
    expect((await ask([...postern, ...descriptor(entry('key_id', 'key_a'))])).asked).toEqual([
      { keyId: 'key_a', limit: null, units: 1 },
    ]);
  });

  const named = descriptor(entry('key_id', 'key_a'));
  it.each<[string, Bytes]>([
    ['no domain', named],
    ['another domain', [...text(1, 'other'), ...named]],
    ['no descriptors', postern],
    ['a hundred and one', [...postern, ...Array.from({ length: 101 }, () => named).flat()]],
    ['a descriptor without entries', [...postern, ...descriptor([])]],
    ['no key_id', [...postern, ...descriptor(entry('limit', 'monthly'))]],
    ['an unknown entry', [...postern, ...descriptor(entry('key_id', 'a'), entry('path', '/'))]],
    ['two of one entry', [...postern, ...descriptor(entry('key_id', 'a'), entry('key_id', 'b'))]],
    ['units beyond 10^15', [...postern, ...descriptor(entry('key_id', 'a'), message(3, number(1, 2e15)))]],
    ['no protobuf', [10, 200, 1]],
  ])('with %s is INVALID_ARGUMENT, and charges nothing', async (_, bytes) => {
    const { asked, told } = await ask(bytes);
    expect(told).toBeInstanceOf(RpcError);
    expect(told).toMatchObject({ code: 3 });
    expect(asked).toEqual([]);
  });

  it('is answered by the limits as they are, and over the limit where nothing was left of one', async () => {
    const over = {
      ...status,
      name: 'b',
      limit: 10,
      unit: null,
      remaining: 0,
      wasSpent: true,
      resetsInSeconds: null,
    };
    const { told } = await ask([...postern, ...named], () => [status, over]);
    const current = (limit: number, unit: Bytes, name: string) => [
      ...number(1, limit),
      ...unit,
      ...text(3, name),
    ];
    expect(told).toEqual([
      ...number(1, 2),
      ...message(2, [
        ...number(1, 1),
        ...message(2, current(4_294_967_295, number(2, 5), 'monthly')),
        ...number(3, 4_294_967_295),
        ...message(4, number(1, 300)),
      ]),
      ...message(2, [...number(1, 2), ...message(2, current(10, [], 'b')), ...number(3, 0)]),
    ]);
  });

  it('says what is wrong with a key or a limit, and that the store is away', async () => {
    const wrong = await ask([...postern, ...named], () => 'no key has this key_id');
    expect(wrong.told).toMatchObject({ code: 3, message: 'no key has this key_id' });
    const away = await ask([...postern, ...named], () => {
      throw new StoreUnavailable('away');
    });
    expect(away.told).toMatchObject({ code: 14 });
  });
});
