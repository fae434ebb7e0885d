import { z } from 'zod';
import { insertsMax } from '../../store/store.ts';
import {
  externalId,
  ipAllowlist,
  isOneLimitForm,
  labels,
  line,
  nameLengthMax,
  none,
  owner,
  ownLimits,
  permissions,
  principals,
  roles,
  sha256,
  time,
  twoLimitForms,
  words,
} from '../admin-fields.ts';

const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false);

/** `POST /admin/api-keys:import` and ImportKeysRequest: each key is read by itself, so that one spoils no other. */
export const importKeysInput = z.strictObject({
  keys: z.array(z.unknown()).max(insertsMax, `may have at most ${insertsMax} entries`),
  dry_run: flag,
});

/** One key of an import. What is not given is null or empty. */
export const importedKeyInput = z
  .strictObject({
    secret: none(z.string().min(1, 'is required').max(4_096, 'may have at most 4096 characters')),
    sha256: none(sha256),
    name: words(nameLengthMax),
    scheme: none(words(64)),
    environment: none(words(64)),
    owner: none(owner),
    permissions: permissions.nullish(),
    roles: roles.nullish(),
    ip_allowlist: ipAllowlist.nullish(),
    principals: principals.nullish(),
    expires_at: none(time),
    plan: none(words(64)),
    ...ownLimits,
    labels: labels.nullish(),
    external_id: none(externalId),
    disabled: flag,
    prefix: none(line(32)),
    last4: none(line(4)),
  })
  .refine(isOneLimitForm, twoLimitForms)
  .refine(({ secret, sha256: digest }) => secret !== null || digest !== null, {
    path: ['secret'],
    message: 'is required, or sha256',
  })
  .refine(({ secret, sha256: digest }) => secret === null || digest === null, {
    path: ['sha256'],
    message: 'goes without secret: give one of them',
  })
  .refine(({ secret, prefix }) => secret === null || prefix === null, {
    path: ['prefix'],
    message: 'goes with sha256 alone; it is read from a secret',
  })
  .refine(({ secret, last4 }) => secret === null || last4 === null, {
    path: ['last4'],
    message: 'goes with sha256 alone; it is read from a secret',
  });

export type ImportedKeyInput = z.output<typeof importedKeyInput>;
