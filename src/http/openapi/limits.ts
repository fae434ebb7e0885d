import { chargeKeyInput } from '../../admin/admin-input.ts';
import { inputSchema } from '../../admin/admin-input-schema.ts';
import {
  bodySchema,
  idempotencyKeyHeader,
  type Operations,
  requestIdHeader,
  type Schema,
} from './operation.ts';
import { answerOf, list, reference } from './schema-forms.ts';

/** The routes about the limits of one key, whose id `id` describes. */
export function limitOperations(id: Schema): Operations {
  return {
    '/admin/api-keys/{id}/limits': {
      get: {
        ...{ id: 'GetKeyLimits', tag: 'Keys', summary: 'Tells how a key stands with its limits' },
        description: 'Empty for a key without a limit.',
        parameters: [id],
        answer: {
          description: 'The limits, in their order.',
          schema: answerOf(list(reference('UsedLimit'))),
          example: { data: [limitExample] },
        },
        errors: [404],
      },
    },
    '/admin/api-keys/{id}:charge': {
      post: {
        ...{ id: 'ChargeKey', tag: 'Keys', summary: 'Spends units of a limit after the fact' },
        description:
          'Beyond what is left too: the next Check is then denied until the limit resets. Less than 0 gives back, for ' +
          'which the admin key has no owner.',
        parameters: [id, idempotencyKeyHeader, requestIdHeader],
        request: {
          schema: bodySchema(inputSchema(chargeKeyInput)),
          example: { limit: 'default', units: 12, request_id: '7f3a' },
        },
        answer: {
          description: 'That limit, after the charge.',
          schema: answerOf(reference('UsedLimit')),
          example: { data: { ...limitExample, used: 54, remaining: 46 } },
        },
        errors: [404, 409],
      },
    },
  };
}

const limitExample = {
  ...{ name: 'default', limit: 100, used: 42, remaining: 58 },
  ...{ resets_at: '2031-01-01T12:01:00Z', shared_by: 'key' },
};
