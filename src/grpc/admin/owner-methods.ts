import type {
  GetOwnerRequest,
  KeyAdminServer,
  ListOwnersRequest,
  PutOwnerRequest,
} from '../gen/postern/admin/v1/key_admin.ts';
import { listOwnersInputOf, ownerMessage, putOwnerInputOf } from './owner-message.ts';
import { settlementMessage } from './settlement-message.ts';
import type { MethodDependencies } from './unary.ts';

/** Putting owners and looking at them. */
export function createOwnerMethods({
  admin,
  now,
  unary,
}: MethodDependencies): Pick<KeyAdminServer, 'putOwner' | 'getOwner' | 'listOwners'> {
  return {
    putOwner: unary(async (caller, request: PutOwnerRequest) => {
      const put = await admin.putOwner(caller, request.id, putOwnerInputOf(request));
      return { owner: ownerMessage(put.owner, now()), ...settlementMessage(put) };
    }),
    getOwner: unary(async (caller, { id }: GetOwnerRequest) => ({
      owner: ownerMessage(await admin.getOwner(caller, id), now()),
    })),
    listOwners: unary(async (caller, request: ListOwnersRequest) => {
      const page = await admin.listOwners(caller, listOwnersInputOf(request));
      const at = now();
      return {
        owners: page.owners.map((owner) => ownerMessage(owner, at)),
        next_page_token: page.nextPageToken ?? '',
      };
    }),
  };
}
