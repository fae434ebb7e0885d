import { z } from 'zod';

const call = z.boolean();

/** What whoever has a key may do with it, by the key itself. */
export const holderSpec = z.strictObject({
  read: call.default(true).describe('Whether a key may be read by itself: GET /api-key, KeyHolder/GetKey.'),
  revoke: call
    .default(true)
    .describe('Whether it may be revoked by itself: DELETE /api-key, KeyHolder/RevokeKey.'),
  rotate: call
    .default(false)
    .describe('Whether it may be rotated by itself: POST /api-key:rotate, KeyHolder/RotateKey.'),
});

export type HolderSettings = z.output<typeof holderSpec>;
