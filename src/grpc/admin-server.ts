import type { ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import type { Admin } from '../admin.ts';
import type { Caller } from '../identity.ts';
import type { Narrowed } from '../registry.ts';
import type { Settlement } from '../store.ts';
import {
  type CreateKeyRequest,
  type GetKeyRequest,
  type GetKeyUsageRequest,
  type GetOwnerRequest,
  KeyAdminService,
  type ListKeysRequest,
  type ListOwnersRequest,
  type PutOwnerRequest,
  type RevokeKeyRequest,
  type VerifyKeyRequest,
} from './gen/postern/admin/v1/key_admin.ts';
import { createKeyInputOf, keyMessage, listKeysInputOf } from './key-message.ts';
import { listOwnersInputOf, ownerMessage, putOwnerInputOf } from './owner-message.ts';
import type { GrpcService } from './server.ts';
import { isUnexpected, toGrpcError } from './status.ts';
import { timestampOf } from './time-message.ts';
import { usageInputOf, usageMessage } from './usage-message.ts';

export interface AdminServiceDependencies {
  readonly admin: Admin;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Told of an error that the caller is not shown. */
  readonly onBroken: (error: unknown) => void;
}

/** `postern.admin.v1.KeyAdmin` on grpc-js. */
export function createAdminService({ admin, now, onBroken }: AdminServiceDependencies): GrpcService {
  const settled = ({ effectiveAt, unconfirmedReplicas }: Settlement) => ({
    effective_at: timestampOf(effectiveAt),
    unconfirmed_replicas: [...unconfirmedReplicas],
  });
  const narrowed = (result: Narrowed) => ({ key: keyMessage(result.key, now()), ...settled(result) });

  return {
    name: 'postern.admin.v1.KeyAdmin',
    definition: KeyAdminService,
    implementation: {
      createKey: unary(async (caller, request: CreateKeyRequest) => {
        const { key, secret } = await admin.createKey(caller, createKeyInputOf(request));
        return { key: keyMessage(key, now()), secret: secret?.reveal() ?? '' };
      }),
      getKey: unary(async (caller, request: GetKeyRequest) => ({
        key: keyMessage(await admin.getKey(caller, request.id), now()),
      })),
      getKeyUsage: unary(async (caller, request: GetKeyUsageRequest) =>
        usageMessage(await admin.getKeyUsage(caller, request.id, usageInputOf(request))),
      ),
      listKeys: unary(async (caller, request: ListKeysRequest) => {
        const page = await admin.listKeys(caller, listKeysInputOf(request));
        return {
          keys: page.keys.map((key) => keyMessage(key, now())),
          next_page_token: page.nextPageToken ?? '',
        };
      }),
      revokeKey: unary(async (caller, { id }: RevokeKeyRequest) =>
        narrowed(await admin.revokeKey(caller, id)),
      ),
      disableKey: unary(async (caller, { id }: RevokeKeyRequest) =>
        narrowed(await admin.disableKey(caller, id)),
      ),
      enableKey: unary(async (caller, { id }: RevokeKeyRequest) => ({
        key: keyMessage(await admin.enableKey(caller, id), now()),
      })),
      verifyKey: unary(async (caller, request: VerifyKeyRequest) => {
        const { allowed, reason, status, keyId } = await admin.verifyKey(caller, { ...request });
        return { allowed, reason: reason ?? '', status, key_id: keyId ?? '' };
      }),
      putOwner: unary(async (caller, request: PutOwnerRequest) => {
        const put = await admin.putOwner(caller, request.id, putOwnerInputOf(request));
        return { owner: ownerMessage(put.owner, now()), ...settled(put) };
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
    },
  };

  function unary<Request, Response>(handle: (caller: Caller, request: Request) => Promise<Response>) {
    return (call: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>) => {
      handle(callerOf(call), call.request).then(
        (response) => callback(null, response),
        (error: unknown) => {
          if (isUnexpected(error)) onBroken(error);
          callback(toGrpcError(error));
        },
      );
    };
  }
}

function callerOf(call: Pick<ServerUnaryCall<unknown, unknown>, 'metadata' | 'getPeer'>): Caller {
  const authorization = call.metadata.get('authorization').map(String);
  return { authorization, address: addressOf(call.getPeer()) };
}

/** The address in grpc-js's `address:port`, where an IPv6 address has no brackets. */
function addressOf(peer: string): string {
  const address = peer.slice(0, Math.max(0, peer.lastIndexOf(':')));
  return address.replace(/^::ffff:(?=\d+\.)/, '');
}
