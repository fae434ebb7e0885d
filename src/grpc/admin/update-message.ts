import { Failure, type FieldViolation, invalidArgument } from '../../failure.ts';
import { Key, KeyState, type UpdateKeyRequest } from '../gen/postern/admin/v1/key_admin.ts';
import { rateLimitInputOf } from './key-message.ts';
import { timeText } from './time-message.ts';

const changeable = [
  'name',
  'permissions',
  'ip_allowlist',
  'expires_at',
  'plan',
  'rate_limit',
  'labels',
] as const;

type Changeable = (typeof changeable)[number];

/**
 * The request in the contract's JSON shape, without the id: the fields that the mask names, or those that are set
 * where there is no mask. A named one that can not be changed, or is none, is among them, and refused by the reader.
 */
export function updateKeyInputOf(request: UpdateKeyRequest): Record<string, unknown> {
  const key = request.key ?? Key.decode(new Uint8Array());
  const paths = pathsOf(request) ?? setFields(key);
  const { etag } = key;
  return Object.fromEntries([
    ...paths.map((path) => [path, isChangeable(path) ? inputOf(key, path) : null]),
    ...(etag === '' ? [] : [['etag', etag]]),
  ]);
}

/** Passes on what was thrown, the fields at fault by their places in UpdateKeyRequest. */
export function toldByPlace(request: UpdateKeyRequest): (error: unknown) => never {
  const paths = pathsOf(request) ?? [];
  const placed = ({ field, description }: FieldViolation): FieldViolation => {
    const [member = ''] = field.split('.');
    // A path that is long, or holds what no line may hold, is not told as it was sent.
    const isOfMask = paths.includes(field) || !(isChangeable(member) || member === 'etag');
    return paths.length > 0 && isOfMask && !isChangeable(field)
      ? { field: 'update_mask', description: `${field}: ${description}` }
      : { field: `key.${field}`, description };
  };
  return (error) => {
    if (error instanceof Failure && error.violations.length > 0) {
      throw invalidArgument(error.violations.map(placed));
    }
    throw error;
  };
}

/** Null for a mask that is absent or empty. */
function pathsOf({ update_mask: mask }: UpdateKeyRequest): readonly string[] | null {
  if (mask === undefined || mask.length === 0) return null;
  return mask.flatMap((path) => (path === '*' ? changeable : [path]));
}

/** Names of fields that have another value than protobuf's default; the id and the etag are no change. */
function setFields(key: Key): string[] {
  const { id: _, etag: __, ...fields } = key;
  return Object.entries(fields)
    .filter(([, value]) => isSet(value))
    .map(([name]) => name);
}

function isSet(value: unknown): boolean {
  if (value === undefined || value === '' || value === KeyState.KEY_STATE_UNSPECIFIED) return false;
  return typeof value !== 'object' || value === null || Object.keys(value).length > 0;
}

function isChangeable(path: string): path is Changeable {
  return changeable.some((name) => name === path);
}

function inputOf(key: Key, path: Changeable): unknown {
  switch (path) {
    case 'expires_at':
      return key.expires_at === undefined ? null : timeText(key.expires_at);
    case 'rate_limit':
      return key.rate_limit === undefined ? null : rateLimitInputOf(key.rate_limit);
    case 'plan':
      return key.plan ?? null;
    default:
      return key[path];
  }
}
