import {
  CreateKeyRequest,
  DeleteRoleRequest,
  GetKeyUsageRequest,
  GetUsageRequest,
  ImportedKey,
  ImportKeysRequest,
  Key,
  ListAuditEventsRequest,
  ListKeyRequestsRequest,
  ListKeysRequest,
  ListOwnersRequest,
  ListRolesRequest,
  Owner,
  PutOwnerRequest,
  PutRoleRequest,
  ReportLeakedKeysRequest,
  RotateKeyRequest,
  VerifyKeyRequest,
  WatchKeysRequest,
} from '../../../src/grpc/gen/postern/admin/v1/key_admin.ts';
import type { Ask } from '../ask.ts';

type Input = Readonly<Record<string, unknown>>;

type Asked = Pick<Ask, 'id' | 'input'> & {
  readonly operation: Ask['operation'] | 'listKeyRequests' | 'getUsage';
};

/** The message for a call in the contract's JSON shape. */
export function requestOf({ operation, id, input }: Asked): object {
  switch (operation) {
    case 'createKey':
      return filled(CreateKeyRequest, fieldsOf(input));
    case 'findKey':
      return input;
    case 'listKeys':
      return filled(ListKeysRequest, { ...input, state: stateOf(input.state) });
    case 'getKeyUsage':
      return filled(GetKeyUsageRequest, { id, ...fieldsOf(input) });
    case 'listKeyRequests':
      return filled(ListKeyRequestsRequest, { id, ...fieldsOf(input) });
    case 'getUsage':
      return filled(GetUsageRequest, fieldsOf(input));
    case 'verifyKey':
      return filled(VerifyKeyRequest, input);
    case 'updateKey':
      return updateOf(id, input);
    case 'rotateKey':
      return filled(RotateKeyRequest, { id, ...fieldsOf(input) });
    case 'importKeys':
      return filled(ImportKeysRequest, { ...input, keys: (input.keys as Input[]).map(importedOf) });
    case 'reportLeakedKeys':
      return filled(ReportLeakedKeysRequest, input);
    case 'putOwner':
      return filled(PutOwnerRequest, { id, ...fieldsOf(input) });
    case 'putRole':
      return filled(PutRoleRequest, { id, ...fieldsOf(input) });
    case 'deleteRole':
      return filled(DeleteRoleRequest, { id, ...input });
    case 'listRoles':
      return filled(ListRolesRequest, input);
    case 'updateOwner':
      return ownerUpdateOf(id, input);
    case 'listOwners':
      return filled(ListOwnersRequest, input);
    case 'listAuditEvents':
      return filled(ListAuditEventsRequest, fieldsOf(input));
    case 'watchKeys':
      return filled(WatchKeysRequest, input);
    default:
      return id === undefined ? {} : { id };
  }
}

/** A message with these fields, all others as protobuf has them when they are not set. */
function filled(type: { decode(bytes: Uint8Array): object }, fields: Input): object {
  return { ...type.decode(new Uint8Array()), ...fields };
}

/** Fields of a message, from JSON. */
export function fieldsOf(input: Input): Input {
  return Object.fromEntries(Object.entries(input).map(([name, value]) => [name, fieldOf(name, value)]));
}

function fieldOf(name: string, value: unknown): unknown {
  if (value === null) return undefined;
  if (name === 'grace_period') return durationOf(String(value));
  if (name === 'rate_limit') {
    const { limit, window } = value as { limit: number; window: string };
    return { limit, window: durationOf(window) };
  }
  const isTime = ['expires_at', 'active_until', 'since', 'until'].includes(name);
  return isTime ? timeOf(String(value)) : value;
}

/** Fields that are named as empty are named by the mask alone. */
function updateOf(id: string | undefined, { etag, ...input }: Input): object {
  const set = Object.fromEntries(Object.entries(fieldsOf(input)).filter(([, value]) => value !== undefined));
  const names = Object.keys(input);
  // Where all fields are set, the mask says nothing more.
  const isSet = (name: string) => !['{}', '[]', 'null'].includes(JSON.stringify(input[name]));
  const needsMask = names.length === 0 || !names.every(isSet);
  const key = filled(Key, { id, ...set, ...(etag !== undefined && { etag }) });
  return { key, update_mask: needsMask || names.length % 2 === 0 ? names : undefined };
}

function ownerUpdateOf(id: string | undefined, { etag, ...input }: Input): object {
  const set = Object.fromEntries(Object.entries(fieldsOf(input)).filter(([, value]) => value !== undefined));
  const names = Object.keys(input);
  const isSet = (name: string) => input[name] !== null && input[name] !== false;
  const needsMask = names.length === 0 || !names.every(isSet);
  const owner = filled(Owner, { id, ...set, ...(etag !== undefined && { etag }) });
  return { owner, update_mask: needsMask || names.length % 2 === 0 ? names : undefined };
}

function importedOf({ secret, sha256, ...rest }: Input): object {
  const credential =
    secret === undefined ? { $case: 'sha256', value: sha256 } : { $case: 'secret', value: secret };
  return filled(ImportedKey, { ...fieldsOf(rest), credential });
}

function stateOf(name: unknown): number {
  return ['', 'active', 'disabled', 'revoked', 'expired'].indexOf(String(name ?? ''));
}

function timeOf(text: string) {
  const ms = Date.parse(text);
  return { seconds: Math.floor(ms / 1_000), nanos: (ms % 1_000) * 1_000_000 };
}

function durationOf(text: string) {
  const ms = Number.parseFloat(text) * (text.endsWith('ms') ? 1 : 1_000);
  return { seconds: Math.floor(ms / 1_000), nanos: (ms % 1_000) * 1_000_000 };
}
