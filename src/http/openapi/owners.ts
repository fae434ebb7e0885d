import { type InputSchema, inputSchema } from '../../admin/admin-input-schema.ts';
import { listOwnersInput, putOwnerInput, updateOwnerInput } from '../../admin/owner-input.ts';
import { ownerExample, settlementExample } from './examples.ts';
import {
  bodySchema,
  ifMatchHeader,
  type Operations,
  queryParameters,
  requestIdHeader,
  type Schema,
} from './operation.ts';
import { answerOf, pageOf, reference } from './schema-forms.ts';

/** The routes under `/admin/owners`. */
export function ownerOperations(): Operations {
  return {
    '/admin/owners': {
      get: {
        ...{ id: 'ListOwners', tag: 'Owners', summary: 'Lists owners, by id' },
        description: 'Those that were put; an owner that nobody has put is active.',
        parameters: queryParameters(inputSchema(listOwnersInput)),
        answer: {
          description: 'A page of owners.',
          schema: pageOf('Owner'),
          example: { data: [ownerExample], next_page_token: null },
        },
      },
    },
    '/admin/owners/{id}': {
      get: {
        ...{ id: 'GetOwner', tag: 'Owners', summary: 'Shows an owner' },
        parameters: [id],
        answer: {
          description: 'The owner.',
          schema: answerOf(reference('Owner')),
          example: { data: ownerExample },
        },
        errors: [404],
      },
      put: {
        ...{
          id: 'PutOwner',
          tag: 'Owners',
          summary: 'Says what an owner is from now on',
        },
        description: 'Replaces all that was said before. Needs an admin key without an owner.',
        parameters: [id, requestIdHeader],
        request: {
          schema: withoutId(inputSchema(putOwnerInput)),
          example: { plan: 'pro', active_until: '2031-01-31T00:00:00Z' },
        },
        answer: {
          description: 'The owner, and from when on this holds everywhere.',
          schema: answerOf(reference('PutOwner')),
          example: { data: { ...ownerExample, ...settlementExample } },
        },
        errors: [409],
      },
      patch: {
        ...{ id: 'UpdateOwner', tag: 'Owners', summary: 'Changes an owner', needs: 'admin:write' },
        description:
          'Members that are left out stay as they are, null empties. Needs an admin key without an owner.',
        parameters: [id, ifMatchHeader, requestIdHeader],
        request: { schema: withoutId(inputSchema(updateOwnerInput)), example: { suspended: true } },
        answer: {
          description: 'The owner; with `effective_at` where something was taken away.',
          schema: answerOf(reference('UpdatedOwner')),
          example: {
            data: { ...ownerExample, suspended: true, active: false, etag: 'v2', ...settlementExample },
          },
        },
        errors: [404, 409],
      },
    },
  };
}

const id: Schema = {
  ...{ name: 'id', in: 'path', required: true, description: 'The owner that keys name.' },
  ...{ schema: { type: 'string', maxLength: 128 }, example: ownerExample.id },
};

/** The id stands in the path. */
function withoutId({ required: _, ...schema }: InputSchema): Schema {
  return bodySchema(schema);
}
