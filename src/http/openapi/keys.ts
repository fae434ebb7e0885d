import { createKeyInput, findKeyInput, verifyKeyInput } from '../../admin/admin-input.ts';
import { type InputSchema, inputSchema } from '../../admin/admin-input-schema.ts';
import { importedKeyInput, importKeysInput } from '../../admin/import/import-input.ts';
import { listKeysInput } from '../../admin/keys/list-input.ts';
import { keyExample, secretExample } from './examples.ts';
import {
  bodySchema,
  idempotencyKeyHeader,
  type Operations,
  queryParameters,
  requestIdHeader,
  type Schema,
} from './operation.ts';
import { answerOf, closed, count, list, pageOf, reference, text } from './schema-forms.ts';

const totalSize = count('Where `include_total` asks: keys on all pages, exact to 10000; 10001 for more.');

/** The routes about keys together. */
export function keysOperations(): Operations {
  return { ...listOperations(), ...askOperations() };
}

function listOperations(): Operations {
  return {
    '/admin/api-keys': {
      get: {
        ...{ id: 'ListKeys', tag: 'Keys', summary: 'Lists keys, the newest first' },
        parameters: queryParameters(inputSchema(listKeysInput)),
        answer: {
          description: 'A page of keys.',
          schema: pageOf('Key', { total_size: totalSize }),
          example: { data: [keyExample], next_page_token: null },
        },
      },
      post: {
        ...{ id: 'CreateKey', tag: 'Keys', summary: 'Makes a key' },
        description: 'The secret is in this answer and no other.',
        parameters: [requestIdHeader, idempotencyKeyHeader],
        request: { schema: bodySchema(inputSchema(createKeyInput)), example: createExample },
        answer: {
          status: 201,
          description: 'The key that was made, with its secret.',
          schema: answerOf(reference('CreatedKey')),
          example: { data: { ...keyExample, key: secretExample } },
        },
        errors: [409],
      },
    },
  };
}

function askOperations(): Operations {
  return {
    '/admin/api-keys:find': {
      post: {
        ...{ id: 'FindKey', tag: 'Keys', summary: 'Shows the key that has a secret' },
        description: 'The one way to find a key by its whole secret, which then stands in no URL.',
        request: { schema: bodySchema(inputSchema(findKeyInput)), example: { key: secretExample } },
        answer: {
          description: 'The key.',
          schema: answerOf(reference('Key')),
          example: { data: keyExample },
        },
        errors: [404],
      },
    },
    '/admin/api-keys:verify': {
      post: {
        ...{ id: 'VerifyKey', tag: 'Keys', summary: 'Says what a Check would answer' },
        description:
          'Counts no use and spends no rate limit. What is left out is judged as if it were not shown.',
        request: {
          schema: bodySchema(inputSchema(verifyKeyInput)),
          example: { key: secretExample, permissions: ['read:assets'], address: '203.0.113.7' },
        },
        answer: {
          description: 'The verdict; a key that is not allowed is not an error.',
          schema: answerOf(reference('Verification')),
          example: { data: { allowed: false, reason: 'revoked', status: 401, key_id: keyExample.id } },
        },
      },
    },
    '/admin/api-keys:import': {
      post: {
        ...{
          id: 'ImportKeys',
          tag: 'Keys',
          summary: 'Takes in keys that were made elsewhere',
        },
        description:
          'A key that cannot be taken in stops no other; one that is there already is left as it is.',
        parameters: [requestIdHeader],
        request: { schema: importSchema(), example: importExample },
        answer: {
          description: 'What became of them, by their places in `keys`, from 0.',
          schema: answerOf(importAnswer),
          example: { data: { imported: 1, duplicates: [], failures: [] } },
        },
      },
    },
  };
}

const createExample = {
  ...{ name: 'Asset backend', owner: 'acme', permissions: ['read:assets'], expires_in: '90d' },
  ...{
    ip_allowlist: ['203.0.113.0/24'],
    rate_limit: { limit: 100, window: '60s' },
    labels: { team: 'grid' },
  },
};

/** Keys are read one by one, so that the schema of the whole says nothing of them. */
function importSchema(): Schema {
  const one = inputSchema(importedKeyInput);
  const labels = inputSchema(createKeyInput).properties?.labels ?? {};
  const whole = bodySchema(inputSchema(importKeysInput));
  const { keys, ...rest } = whole.properties as Readonly<Record<string, InputSchema>>;
  const items = bodySchema({ ...one, properties: { ...one.properties, labels } });
  return { ...whole, properties: { keys: { ...keys, items }, ...rest } };
}

const importExample = { keys: [{ sha256: '9f86d081'.repeat(8), name: 'Asset backend', owner: 'acme' }] };

const importAnswer = closed({
  imported: count('Keys that were taken in, or would be.'),
  duplicates: list({ type: 'integer' }, 'Keys that are there already, and keys that come twice.'),
  failures: list(
    closed({
      index: count('The place of the key.'),
      field: text('The field at fault.'),
      description: text('What is wrong with it.'),
    }),
    'Keys that cannot be taken in.',
  ),
});
