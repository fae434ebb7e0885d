import type { Imported } from '../../../admin/import/import-operations.ts';
import type {
  ImportedKey,
  ImportKeysRequest,
  ImportKeysResponse,
} from '../../gen/postern/admin/v1/key_admin.ts';
import { limitsInputOf } from './key-message.ts';
import { timeText } from './time-message.ts';

/** The request in the contract's JSON shape; what a protobuf caller left unset is left out. */
export function importKeysInputOf({ keys, dry_run }: ImportKeysRequest): Record<string, unknown> {
  return { keys: keys.map(importedKeyInputOf), dry_run };
}

function importedKeyInputOf(key: ImportedKey): Record<string, unknown> {
  const { credential, expires_at, rate_limit, rate_limits, ...rest } = key;
  return {
    ...rest,
    ...(credential !== undefined && { [credential.$case]: credential.value }),
    ...(expires_at !== undefined && { expires_at: timeText(expires_at) }),
    ...limitsInputOf({ rate_limit, rate_limits }),
  };
}

/** What became of the keys of one message, before which `offset` came on the same stream. */
export function importMessage(
  { imported, duplicates, failures }: Imported,
  offset: number,
): ImportKeysResponse {
  return {
    imported,
    duplicates: duplicates.map((index) => offset + index),
    failures: failures.map(({ index, field, description }) => ({
      index: offset + index,
      field,
      description,
    })),
  };
}
