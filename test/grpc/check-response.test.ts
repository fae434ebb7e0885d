import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Allowed, Decision, Denied } from '../../src/check/authorize.ts';
import {
  CheckUnavailable,
  createCheckWriter,
  type UnavailableAs,
} from '../../src/grpc/check/check-response.ts';
import { CheckResponse, DeniedHttpResponse } from '../../src/grpc/gen/envoy/service/auth/v3/external_auth.ts';
import type { KeyRecord } from '../../src/keys/key.ts';
import type { Limit } from '../../src/keys/limit.ts';
import type { RateVerdict } from '../../src/limits/verdict.ts';
import { readPresets } from '../../src/presets/read.ts';
import { type Reason, reasons } from '../../src/schemes/answer.ts';
import type { Scheme } from '../../src/schemes/scheme.ts';
import { keyRecord } from '../records.ts';
import { accessRequest } from '../requests.ts';
import { expectedResponse } from './expected-response.ts';

describe('the bytes of an answer', () => {
  it('say what the generated code would have them say, whatever was answered before', () => {
    const writers = new Map(forms.map((form) => [form, createCheckWriter(form)]));
    fc.assert(
      fc.property(decisions, requests, fc.constantFrom(...forms), (decision, request, form) => {
        const writer = writers.get(form) as ReturnType<typeof createCheckWriter>;
        const isRpcError = form === 'rpc_error' && 'reason' in decision && decision.reason === 'unavailable';
        if (isRpcError) expect(() => writer.decided(decision, request)).toThrow(CheckUnavailable);
        else
          expect(read(writer.decided(decision, request))).toEqual(expectedResponse(decision, request, form));
      }),
      { numRuns: 5_000 },
    );
  });

  it('are a denial for each denial that takes the place of an answer, an unavailable one too', () => {
    const writer = createCheckWriter('rpc_error');
    fc.assert(
      fc.property(denials, (denied) => {
        const expected = expectedResponse(denied, accessRequest({}), 'denied_response');
        expect(read(writer.denied(denied, null))).toEqual(expected);
      }),
    );
  });

  it('are right where an answer is longer than any before it', () => {
    const writer = createCheckWriter('error_response');
    for (const length of [1, 100, 4_000, 4_096, 20_000, 300_000]) {
      const decision: Allowed = {
        ...allowed,
        key: keyRecord({ name: 'é'.repeat(length), owner: 'x'.repeat(length) }),
      };
      const request = accessRequest({});
      expect(read(writer.decided(decision, request))).toEqual(
        expectedResponse(decision, request, 'error_response'),
      );
    }
  });
});

const forms: UnavailableAs[] = ['error_response', 'denied_response', 'rpc_error'];
const errorResponseTag = 0x2a;

/** With `error_response`, which the generated code does not know, apart. */
function read(bytes: Uint8Array) {
  const response = CheckResponse.decode(bytes);
  const at = Buffer.from(bytes).indexOf(errorResponseTag, 2);
  const isError = response.httpResponse === undefined && at !== -1;
  return { response, error: isError ? errorOf(bytes) : null };
}

function errorOf(bytes: Uint8Array): DeniedHttpResponse | null {
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at] ?? 0;
    let [length, shift] = [0, 0];
    do {
      at++;
      length |= ((bytes[at] ?? 0) & 0x7f) << shift;
      shift += 7;
    } while (((bytes[at] ?? 0) & 0x80) !== 0);
    at++;
    if (tag === errorResponseTag) return DeniedHttpResponse.decode(bytes.subarray(at, at + length));
    at += length;
  }
  return null;
}

const presets = [...readPresets().values()];
const ownWords: Scheme = {
  ...(presets[0] as Scheme),
  name: 'own',
  places: [{ kind: 'cookie', name: 'session' }],
  answers: Object.fromEntries(
    reasons.map((reason, at) => [
      reason,
      {
        status: 400 + at,
        headers: [
          ['content-type', 'text/plain'],
          ['x-why', reason],
        ],
        body: (values: Parameters<Scheme['answers'][Reason]['body']>[0]) =>
          at % 3 === 0
            ? ''
            : `${values.reason} ${values.expired_at} ${values.client_ip} ${values.allowed_ips} ${values.required} ${values.retry_after} ${values.limit}`,
      },
    ]),
  ) as unknown as Scheme['answers'],
};
const schemes = fc
  .tuple(fc.constantFrom(...presets, ownWords), fc.boolean())
  .map(([scheme, forwardCredential]) => (forwardCredential ? { ...scheme, forwardCredential } : scheme));
const text = fc.string({ unit: 'grapheme', maxLength: 150 });
const list = fc.oneof(
  fc.constantFrom<string[]>([], ['read'], ['read', 'write']),
  fc.array(text, { maxLength: 4 }),
);
const keys: fc.Arbitrary<KeyRecord> = fc
  .record({
    name: text,
    owner: fc.option(text),
    scheme: fc.constantFrom('postern', 'mira', 'é'),
    environment: fc.constantFrom('live', 'test'),
    permissions: list,
    ipAllowlist: list,
    labels: fc.dictionary(
      text.filter((name) => name !== '__proto__'),
      text,
      { maxKeys: 3 },
    ),
    expiresAt: fc.option(fc.nat()),
  })
  .map((given) => keyRecord(given));
const standings = fc.record({
  name: fc.constantFrom('default', 'burst', 'monthly'),
  limit: fc.nat(),
  remaining: fc.nat(),
  lengthSeconds: fc.option(fc.nat(4_000_000)),
  resetAt: fc.option(fc.nat(4_000_000_000)),
  retryAfter: fc.option(fc.nat(100)),
});
const limits = fc.record({
  name: fc.constant('default'),
  limit: fc.integer({ min: 1, max: 2 ** 33 }),
  per: fc.constantFrom<Limit['per']>(1_000, 5_000, 60_000, 'day', 'week', 'month', 'total'),
  sharedBy: fc.constantFrom('key' as const, 'owner' as const),
});
const rates = fc
  .tuple(standings, fc.boolean(), fc.array(limits, { maxLength: 3 }), fc.array(standings, { maxLength: 3 }))
  .map(
    ([told, isAllowed, of, all]): RateVerdict => ({ ...told, isAllowed, limits: of, standings: () => all }),
  );
const withheld = fc.record({
  headers: fc.uniqueArray(fc.constantFrom('authorization', 'x-api-key', 'x-key'), { maxLength: 3 }),
  changed: fc.uniqueArray(
    fc.record({
      name: fc.constantFrom('cookie', ':path', 'x-other-key'),
      value: fc.constantFrom('a=b; c=d', '/x?y', 'Käse', ''),
    }),
    { maxLength: 3, selector: ({ name }) => name },
  ),
  parameters: fc.uniqueArray(fc.constantFrom('key', 'gate%5Fkey'), { maxLength: 2 }),
});
const allows = fc.record({
  ...{
    verdict: fc.constant('allow' as const),
    owner: fc.constant(null),
    key: keys,
    scheme: schemes,
    withheld,
  },
  permissions: list,
  ...{ plan: fc.option(text), rate: fc.option(rates) },
});
const denials: fc.Arbitrary<Denied> = fc
  .record({
    ...{ reason: fc.constantFrom(...reasons), scheme: schemes, key: fc.option(keys) },
    terms: fc.option(
      fc.record({
        ...{ environment: text, address: fc.option(text), permissions: list, cost: fc.nat() },
      }),
    ),
    rate: rates,
  })
  .map(({ rate, ...denied }) => ({
    ...{ verdict: 'deny' as const, ...denied, rate: denied.reason === 'rate_limited' ? rate : null },
  }));
const decisions: fc.Arbitrary<Decision> = fc.oneof(
  fc.constant<Decision>({ verdict: 'public' }),
  { arbitrary: allows, weight: 5 },
  { arbitrary: denials, weight: 5 },
  fc.oneof(allows, denials).map((would) => ({ verdict: 'observe' as const, would })),
);
const sentNames = [
  'x-postern-key-id',
  'x-postern-owner',
  'x-postern-permissions',
  'x-postern-other',
  'x.postern.owner',
  'x_postern-key-id',
  'x-postern',
  'accept',
];
const requests = fc
  .array(fc.oneof(fc.tuple(fc.constantFrom(...sentNames), fc.constant('forged'))), { maxLength: 5 })
  .map((headers) => accessRequest({ headers: [...new Map(headers)] }));
const allowed: Allowed = {
  ...{ verdict: 'allow', owner: null, key: keyRecord(), scheme: presets[0] as Scheme },
  permissions: [],
  ...{ withheld: { headers: ['authorization'], changed: [], parameters: [] }, plan: null, rate: null },
};
