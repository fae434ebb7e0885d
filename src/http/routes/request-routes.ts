import type { FastifyInstance } from 'fastify';
import type { Admin } from '../../admin/admin.ts';
import type { RequestPage } from '../../admin/use/request-operations.ts';
import { requestJson } from '../../usage/requests/request-json.ts';
import { callerOf } from '../caller.ts';
import { operate, queryInput } from '../input.ts';

/** What became of requests, of one key and of all. */
export function addRequestRoutes(app: FastifyInstance, admin: Admin): void {
  app.get('/admin/requests', async (request) =>
    shown(
      await operate(queryInput(request.url), (value) =>
        admin.listKeyRequests(callerOf(request.raw), null, value),
      ),
    ),
  );
  app.get<{ Params: { id: string } }>('/admin/api-keys/:id/requests', async (request) =>
    shown(
      await operate(queryInput(request.url), (value) =>
        admin.listKeyRequests(callerOf(request.raw), request.params.id, value),
      ),
    ),
  );
}

function shown({ requests, nextPageToken }: RequestPage) {
  return { data: requests.map(requestJson), next_page_token: nextPageToken };
}
