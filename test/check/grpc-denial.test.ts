import { describe, expect, it } from 'vitest';
import { deny } from '../../src/check/authorize.ts';
import { callerKind, grpcHeaders, grpcMessage } from '../../src/check/grpc-denial.ts';
import { readPresets } from '../../src/presets/read.ts';
import { reasonStatus, reasons } from '../../src/schemes/answer.ts';
import type { Scheme } from '../../src/schemes/scheme.ts';
import { rateVerdict } from '../records.ts';
import { accessRequest } from '../requests.ts';

const presets = [...readPresets().values()];
const [postern] = presets as [Scheme];
const codes: Record<number, string> = { 401: '16', 402: '7', 403: '7', 429: '8', 503: '14' };
const headersOf = (denied: ReturnType<typeof deny>, kind: 'grpc' | 'grpc-web') =>
  Object.fromEntries(grpcHeaders(denied, kind, grpcMessage(denied)));

describe('a denial for a gRPC caller', () => {
  it.each([
    ...['application/grpc', 'application/grpc+proto', 'application/grpc; a=b', 'Application/GRPC+json'].map(
      (type) => [type, 'grpc'],
    ),
    ...['application/grpc-web', 'application/grpc-web+proto', 'application/grpc-web-text'].map((type) => [
      type,
      'grpc-web',
    ]),
    ...['application/json', 'application/grpcx', 'text/application/grpc', ''].map((type) => [type, 'http']),
  ] as const)('is told by %s: %s', (type, kind) => {
    expect(callerKind(accessRequest({ headers: [['content-type', type as string]] }))).toBe(kind);
    expect(callerKind(accessRequest({}))).toBe('http');
  });

  it.each(presets)(
    'has for every reason of $name its grpc-status, and its message in plain words',
    (scheme) => {
      for (const reason of reasons) {
        const denied = deny(reason, scheme, null);
        const headers = headersOf(denied, 'grpc');
        expect([reason, headers['grpc-status']]).toEqual([reason, codes[scheme.answers[reason].status]]);
        expect(headers).not.toHaveProperty('content-type');
        expect(grpcMessage(denied)).toMatch(/^[A-Z][^{}"]{5,200}$/);
        expect(scheme.answers[reason].body({ reason })).toContain(
          JSON.stringify(grpcMessage(denied)).slice(1, -1),
        );
      }
    },
  );

  it('has them whatever the body and the status of a scheme are', () => {
    const told = (status: number, body: string) => {
      const answer = {
        status,
        headers: [
          ['content-type', 'text/html'],
          ['x-why', 'a'],
        ] as const,
        template: body,
        body: () => body,
      };
      const answers = { ...postern.answers };
      for (const reason of reasons) answers[reason] = answer;
      const denied = deny('rate_limited', { ...postern, answers }, null);
      return [grpcMessage(denied), headersOf(denied, 'grpc')] as const;
    };
    expect(told(418, '{"detail":"Too many.","title":"x","status":418}')).toEqual([
      'Too many.',
      { 'grpc-status': '8', 'x-why': 'a' },
    ]);
    expect(told(429, '{"message":"Slow down"}')[0]).toBe('Slow down');
    expect(told(429, '{"error":"slow_down"}')[0]).toBe('slow_down');
    expect(told(429, '{"error":{"code":1}}')[0]).toBe('rate limited');
    expect(told(429, '1')[0]).toBe('rate limited');
    expect(told(401, '""')[1]).toMatchObject({ 'grpc-status': '16' });
  });

  it('keeps what else a caller is told, and says its message in a header of its own for gRPC-Web', () => {
    const rate = rateVerdict({ isAllowed: false, limit: 5, remaining: 0, resetAt: 60, retryAfter: 7 });
    const limited = { ...deny('rate_limited', postern, null), rate };
    expect(headersOf(limited, 'grpc')).toMatchObject({ 'retry-after': '7', 'x-ratelimit-limit': '5' });
    const [denied, message] = [deny('missing', postern, null), '100 % „so“'];
    expect(Object.fromEntries(grpcHeaders(denied, 'grpc-web', message))).toMatchObject({
      'grpc-status': '16',
      'grpc-message': '100 %25 %E2%80%9Eso%E2%80%9C',
      'www-authenticate': 'Bearer realm="postern"',
    });
  });

  it('knows a code for each status that a reason has', () => {
    expect(Object.values(reasonStatus).every((status) => codes[status] !== undefined)).toBe(true);
  });
});
