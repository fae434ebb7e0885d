import { z } from 'zod';
import {
  labels,
  line,
  nameLengthMax,
  none,
  owner,
  pageSize,
  pageToken,
  time,
  words,
} from './admin-fields.ts';
import { refusedMembers } from './admin-input.ts';

const contactLengthMax = 256;
const ownerKeysMax = 1_000_000_000;
const keysMaxError = `must be a whole number from 0 to ${ownerKeysMax}`;

/** What describes an owner, and bounds it. */
const ownerMembers = {
  name: words(nameLengthMax),
  contact: words(contactLengthMax),
  billing_anchor: time
    .refine((ms) => ms >= 0, 'is before 1970: write a time from 1970-01-01T00:00:00Z on')
    // Times are told to the second: what is told is what holds.
    .transform((ms) => ms - (ms % 1_000)),
  keys_max: z.int(keysMaxError).min(0, keysMaxError).max(ownerKeysMax, keysMaxError),
};

/** `PUT /admin/owners/{id}` and PutOwnerRequest, with the id. */
export const putOwnerInput = z.strictObject({
  id: owner,
  plan: none(words(64)),
  active_until: none(time),
  suspended: z
    .boolean()
    .nullish()
    .transform((value) => value ?? false),
  name: none(ownerMembers.name),
  contact: none(ownerMembers.contact),
  labels: labels.nullish(),
  billing_anchor: none(ownerMembers.billing_anchor),
  keys_max: none(ownerMembers.keys_max),
});

/** `PATCH /admin/owners/{id}` and UpdateOwnerRequest, with the id. What is left out stays, null empties. */
export const updateOwnerInput = z.strictObject({
  id: owner,
  plan: words(64).nullable().optional(),
  active_until: time.nullable().optional(),
  suspended: z.boolean().nullable().optional(),
  name: ownerMembers.name.nullable().optional(),
  contact: ownerMembers.contact.nullable().optional(),
  labels: labels.nullable().optional(),
  billing_anchor: ownerMembers.billing_anchor.nullable().optional(),
  keys_max: ownerMembers.keys_max.nullable().optional(),
  etag: line(64).nullish(),
  ...refusedMembers('active created_at updated_at'),
});

/** `GET /admin/owners` and ListOwnersRequest. */
export const listOwnersInput = z.strictObject({
  page_size: pageSize,
  page_token: pageToken,
});
