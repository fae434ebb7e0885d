import type {
  GetOwnerRequest,
  KeyAdminServer,
  ListOwnersRequest,
  PutOwnerRequest,
  UpdateOwnerRequest,
} from '../gen/postern/admin/v1/key_admin.ts';
import { maskedInput, toldByPlace } from './messages/masked-update.ts';
import { listOwnersInputOf, ownerMessage, putOwnerInputOf } from './messages/owner-message.ts';
import { settlementMessage } from './messages/settlement-message.ts';
import { ownerUpdate } from './messages/update-message.ts';
import type { MethodDependencies } from './unary.ts';

/** Putting owners, changing them and looking at them. */
export function createOwnerMethods({
  admin,
  now,
  unary,
}: MethodDependencies): Pick<KeyAdminServer, 'putOwner' | 'updateOwner' | 'getOwner' | 'listOwners'> {
  return {
    putOwner: unary(async (caller, request: PutOwnerRequest) => {
      const put = await admin.putOwner(caller, request.id, putOwnerInputOf(request));
      return { owner: ownerMessage(put.owner, now()), ...settlementMessage(put) };
    }),
    updateOwner: unary(async (caller, request: UpdateOwnerRequest) => {
      const update = ownerUpdate(request);
      const updating = admin.updateOwner(caller, request.owner?.id ?? '', maskedInput(update));
      const { owner, settlement } = await updating.catch(toldByPlace(update));
      return { owner: ownerMessage(owner, now()), ...settlementMessage(settlement) };
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
