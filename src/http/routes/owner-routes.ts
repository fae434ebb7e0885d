import type { FastifyInstance } from 'fastify';
import type { Admin } from '../../admin/admin.ts';
import { ownerJson } from '../../changes/owner-json.ts';
import { settlementJson } from '../../changes/settlement-json.ts';
import { callerOf } from '../caller.ts';
import { bodyInput, operate, queryInput, withIfMatch } from '../input.ts';

type OneOwner = { Params: { id: string } };

/** The admin operations on owners, under `/admin/owners`. An id may hold any character, escaped. */
export function addOwnerRoutes(app: FastifyInstance, admin: Admin, now: () => number): void {
  app.put<OneOwner>('/admin/owners/:id', async (request) => {
    const put = await operate(bodyInput(request), (value) =>
      admin.putOwner(callerOf(request.raw), request.params.id, value),
    );
    return { data: { ...ownerJson(put.owner, now()), ...settlementJson(put) } };
  });
  app.patch<OneOwner>('/admin/owners/:id', async (request) => {
    const input = withIfMatch(bodyInput(request), request);
    const { owner, settlement } = await operate(input, (value) =>
      admin.updateOwner(callerOf(request.raw), request.params.id, value),
    );
    return {
      data: { ...ownerJson(owner, now()), ...(settlement !== null && settlementJson(settlement)) },
    };
  });
  app.get<OneOwner>('/admin/owners/:id', async (request) => ({
    data: ownerJson(await admin.getOwner(callerOf(request.raw), request.params.id), now()),
  }));
  app.get('/admin/owners', async (request) => {
    const page = await operate(queryInput(request.url), (value) =>
      admin.listOwners(callerOf(request.raw), value),
    );
    const at = now();
    return { data: page.owners.map((owner) => ownerJson(owner, at)), next_page_token: page.nextPageToken };
  });
}
