import { inputSchema } from '../../admin/admin-input-schema.ts';
import { endKeysInput } from '../../admin/keys/bulk-operations.ts';
import { settlementExample } from './examples.ts';
import { bodySchema, type Operation, type Operations, requestIdHeader } from './operation.ts';
import { answerOf, closed, count } from './schema-forms.ts';
import { settlement } from './schemas.ts';

/** The routes that change many keys at once. */
export function bulkOperations(): Operations {
  return {
    '/admin/api-keys:revoke': {
      post: ending('RevokeKeys', 'Revokes many keys', 'Keys that are revoked already are left.'),
    },
    '/admin/api-keys:disable': {
      post: ending('DisableKeys', 'Stops many keys until they are enabled', 'Revoked keys are left.'),
    },
  };
}

function ending(id: string, summary: string, left: string): Operation {
  const time = settlement.effective_at;
  return {
    ...{ id, tag: 'Keys', summary },
    description: `Keys that meet the filter, have one of the ids, or both where both are given. ${left} One wait is for all of them, and each has its entry in the journal.`,
    parameters: [requestIdHeader],
    request: {
      schema: bodySchema(inputSchema(endKeysInput)),
      example: { filter: { owner: 'acme' }, dry_run: true },
    },
    answer: {
      description: 'How many were met, and how many were changed, or would be.',
      schema: answerOf(
        closed({
          matched: count('Keys that meet the filter and the ids.'),
          changed: count('Of them, those that were changed, or would be.'),
          ...{ ...settlement, effective_at: { ...time, type: ['string', 'null'] } },
        }),
      ),
      example: { data: { matched: 3, changed: 3, ...settlementExample, effective_at: null } },
    },
    errors: [409],
  };
}
