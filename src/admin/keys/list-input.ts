import { z } from 'zod';
import { listOrderTexts } from '../../keys/key-order.ts';
import {
  externalId,
  nameLengthMax,
  owner,
  pageSize,
  pageToken,
  permission,
  role,
  time,
  words,
} from '../admin-fields.ts';

const filters = {
  owner: owner.nullish(),
  scheme: words(64).nullish(),
  environment: words(64).nullish(),
  state: z.enum(['active', 'disabled', 'revoked', 'expired']).nullish(),
  permission: permission.nullish(),
  name_contains: words(nameLengthMax).nullish(),
  search: words(nameLengthMax).nullish(),
  external_id: externalId.nullish(),
  unused_since: time.nullish(),
  expires_before: time.nullish(),
  role: role.nullish(),
};

/** What keys a list, or a call about many, is about. */
export const keyFilterInput = z.strictObject(filters);

/** `GET /admin/api-keys` and ListKeysRequest. */
export const listKeysInput = z.strictObject({
  page_size: pageSize,
  page_token: pageToken,
  ...filters,
  order_by: z.enum(listOrderTexts).nullish(),
  include_total: z
    .boolean()
    .nullish()
    .transform((value) => value ?? false),
});
