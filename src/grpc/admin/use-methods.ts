import type {
  GetUsageRequest,
  KeyAdminServer,
  ListKeyRequestsRequest,
} from '../gen/postern/admin/v1/key_admin.ts';
import { listKeyRequestsInputOf, requestMessage } from './messages/request-message.ts';
import { getUsageInputOf, usageRowMessage } from './messages/usage-row-message.ts';
import type { MethodDependencies } from './unary.ts';

/** Looking at what keys do. */
export function createUseMethods({
  admin,
  unary,
}: Pick<MethodDependencies, 'admin' | 'unary'>): Pick<KeyAdminServer, 'listKeyRequests' | 'getUsage'> {
  return {
    listKeyRequests: unary(async (caller, request: ListKeyRequestsRequest) => {
      const page = await admin.listKeyRequests(caller, request.id || null, listKeyRequestsInputOf(request));
      return { requests: page.requests.map(requestMessage), next_page_token: page.nextPageToken ?? '' };
    }),
    getUsage: unary(async (caller, request: GetUsageRequest) => {
      const { rows, nextPageToken } = await admin.getUsage(caller, getUsageInputOf(request));
      return { rows: rows.map(usageRowMessage), next_page_token: nextPageToken ?? '' };
    }),
  };
}
