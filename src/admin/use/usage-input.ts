import { z } from 'zod';
import { usageGroups, usageIntervals, usageOrders } from '../../store/usage/usage-sums.ts';
import { none, owner, pageSize, pageToken, time } from '../admin-fields.ts';

/** The first is what holds where none is given. */
function oneOf<const Names extends readonly [string, ...string[]]>(names: Names) {
  return none(z.enum(names));
}

/** `GET /admin/usage` and GetUsageRequest. */
export const getUsageInput = z.strictObject({
  group_by: oneOf(usageGroups),
  interval: oneOf(usageIntervals),
  since: none(time),
  until: none(time),
  owner: none(owner),
  order_by: oneOf(usageOrders),
  page_size: pageSize,
  page_token: pageToken,
});
