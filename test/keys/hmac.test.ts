import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createHmacSha256 } from '../../src/keys/hmac.ts';

it("agrees with Node's own HMAC for any key and any texts, one after another", () => {
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.nat(9_000).map((length) => 'é'.repeat(length)),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.array(texts, { maxLength: 5 }), (key, all) => {
      const hmac = createHmacSha256(key);
      const expected = all.map((text) => createHmac('sha256', key).update(text).digest('base64url'));
      expect(all.map(hmac)).toEqual(expected);
    }),
    { numRuns: 50 },
  );
});
