import { inputSchema } from '../../admin/admin-input-schema.ts';
import { deleteRoleInput, listRolesInput, putRoleInput } from '../../admin/roles/role-input.ts';
import { roleExample, settlementExample } from './examples.ts';
import {
  bodySchema,
  ifMatchHeader,
  type Operations,
  queryParameters,
  requestIdHeader,
  type Schema,
} from './operation.ts';
import { answerOf, closed, list, orNull, pageOf, reference, text, time } from './schema-forms.ts';
import { settlement, texts } from './schemas.ts';

/** The routes under `/admin/roles`. */
export function roleOperations(): Operations {
  const { required: _, ...putSchema } = inputSchema(putRoleInput);
  return {
    '/admin/roles': {
      get: {
        ...{ id: 'ListRoles', tag: 'Roles', summary: 'Lists roles, by id' },
        parameters: queryParameters(inputSchema(listRolesInput)),
        answer: {
          description: 'A page of roles.',
          schema: pageOf('Role'),
          example: { data: [roleExample], next_page_token: null },
        },
      },
    },
    '/admin/roles/{id}': {
      get: {
        ...{ id: 'GetRole', tag: 'Roles', summary: 'Shows a role' },
        parameters: [id],
        answer: {
          description: 'The role.',
          schema: answerOf(reference('Role')),
          example: { data: roleExample },
        },
        errors: [404],
      },
      put: {
        ...{ id: 'PutRole', tag: 'Roles', summary: 'Says what a role gives from now on' },
        description:
          'Replaces all that was said before. What the role loses is gone everywhere from `effective_at` on. Needs an admin key without an owner, as all about roles does.',
        parameters: [id, ifMatchHeader, requestIdHeader],
        request: { schema: bodySchema(putSchema), example: { permissions: ['read:*'] } },
        answer: settled,
        errors: [409],
      },
      delete: {
        ...{ id: 'DeleteRole', tag: 'Roles', summary: 'Removes a role' },
        description: 'Keys go on naming it, and it gives them nothing.',
        parameters: [id, ifMatchHeader, requestIdHeader],
        request: { schema: bodySchema(inputSchema(deleteRoleInput)), isOptional: true, example: {} },
        answer: settled,
        errors: [404, 409],
      },
    },
  };
}

const settled = {
  description: 'The role, and from when on this holds everywhere.',
  schema: answerOf(reference('PutRole')),
  example: { data: { ...roleExample, ...settlementExample } },
};

const id: Schema = {
  ...{ name: 'id', in: 'path', required: true, description: 'The role that keys name.' },
  ...{ schema: { type: 'string', maxLength: 128 }, example: roleExample.id },
};

const role = {
  id: text('What `roles` of a key name.'),
  description: orNull(text('What it is for.')),
  permissions: list(texts, 'What it gives to keys that name it.'),
  created_at: time('When it was first put.'),
  updated_at: time('When it was last changed.'),
  etag: text('Changes with every change of the role; opaque.'),
};

/** The schemas that these operations refer to, by their names. */
export const roleSchemas: Readonly<Record<string, Schema>> = {
  Role: closed(role),
  PutRole: closed({ ...role, ...settlement }),
};
