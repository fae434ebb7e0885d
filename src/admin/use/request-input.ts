import { z } from 'zod';
import { reasons } from '../../schemes/answer.ts';
import { requestDecisions } from '../../store/usage/request-log.ts';
import { none, owner, pageSize, pageToken, time } from '../admin-fields.ts';

const ofAll = {
  since: none(time),
  until: none(time),
  decision: none(z.enum(requestDecisions)),
  page_size: pageSize,
  page_token: pageToken,
};

/** `GET /admin/api-keys/{id}/requests` and ListKeyRequestsRequest with an id, without it. */
export const listKeyRequestsInput = z.strictObject(ofAll);

/** `GET /admin/requests` and ListKeyRequestsRequest without an id. */
export const listRequestsInput = z.strictObject({
  ...ofAll,
  owner: none(owner),
  reason: none(z.enum(reasons)),
});
