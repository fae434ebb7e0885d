import { emptyInput, getKeyUsageInput, rotateKeyInput, updateKeyInput } from '../../admin/admin-input.ts';
import { inputSchema } from '../../admin/admin-input-schema.ts';
import { keyExample, secretExample, settlementExample } from './examples.ts';
import { limitOperations } from './limits.ts';
import {
  bodySchema,
  idempotencyKeyHeader,
  ifMatchHeader,
  type Operations,
  queryParameters,
  requestIdHeader,
  type Schema,
} from './operation.ts';
import { answerOf, reference } from './schema-forms.ts';

/** The routes about one key. */
export function keyOperations(): Operations {
  return { ...plainOperations(), ...furtherOperations(), ...limitOperations(id) };
}

function plainOperations(): Operations {
  return {
    '/admin/api-keys/{id}': {
      get: {
        ...{ id: 'GetKey', tag: 'Keys', summary: 'Shows a key' },
        description: 'Ended ones too, until their retention is over.',
        parameters: [id],
        answer: { ...shown, example: { data: keyExample } },
        errors: [404],
      },
      patch: {
        ...{ id: 'UpdateKey', tag: 'Keys', summary: 'Changes a key' },
        description:
          'Members that are left out stay as they are, null empties. No other member can be changed.',
        parameters: [id, ifMatchHeader, requestIdHeader],
        request: {
          schema: bodySchema(inputSchema(updateKeyInput)),
          example: { name: 'Asset backend, Leeds' },
        },
        answer: {
          description: 'The key; with `effective_at` where something was taken away.',
          schema: answerOf(reference('UpdatedKey')),
          example: { data: { ...keyExample, name: 'Asset backend, Leeds', etag: 'v2' } },
        },
        errors: [404, 409],
      },
      delete: {
        ...{ id: 'RevokeKey', tag: 'Keys', summary: 'Ends a key for good' },
        description: 'Revoking a revoked key is not an error.',
        parameters: [id, requestIdHeader],
        answer: { ...narrowed, example: narrowedExample('revoked') },
        errors: [404, 409],
      },
    },
  };
}

function furtherOperations(): Operations {
  const nothing = { schema: inputSchema(emptyInput), isOptional: true, example: {} };
  return {
    '/admin/api-keys/{id}/rotate': {
      post: {
        ...{ id: 'RotateKey', tag: 'Keys', summary: 'Replaces a key by a new one' },
        description:
          'The new key has the same grants. The old one ends after the grace period, in which both share one rate limit.',
        parameters: [id, requestIdHeader, idempotencyKeyHeader],
        request: {
          ...{ schema: bodySchema(inputSchema(rotateKeyInput)), isOptional: true },
          example: { grace_period: '24h' },
        },
        answer: {
          description: 'The new key, with its secret, and the old one.',
          schema: answerOf(reference('RotatedKey')),
          example: rotatedExample,
        },
        errors: [404, 409],
      },
    },
    '/admin/api-keys/{id}/disable': {
      post: {
        ...{
          id: 'DisableKey',
          tag: 'Keys',
          summary: 'Stops a key until it is enabled',
        },
        ...{ parameters: [id, requestIdHeader], request: nothing, errors: [404, 409] },
        answer: { ...narrowed, example: narrowedExample('disabled') },
      },
    },
    '/admin/api-keys/{id}/enable': {
      post: {
        ...{ id: 'EnableKey', tag: 'Keys', summary: 'Enables a disabled key' },
        ...{ parameters: [id, requestIdHeader], request: nothing, errors: [404, 409] },
        answer: { ...shown, example: { data: keyExample } },
      },
    },
    '/admin/api-keys/{id}/usage': {
      get: {
        ...{ id: 'GetKeyUsage', tag: 'Keys' },
        summary: 'Tells what became of the requests of a key, hour by hour',
        description: 'May lag by up to 10 s; 90 days are kept.',
        parameters: [id, ...queryParameters(inputSchema(getKeyUsageInput))],
        answer: {
          description: 'Hours, oldest first.',
          schema: answerOf(reference('Usage')),
          example: { data: usageExample },
        },
        errors: [404],
      },
    },
  };
}

const shown = { description: 'The key, without its secret.', schema: answerOf(reference('Key')) };

const narrowed = {
  description: 'The key, and from when on this holds everywhere.',
  schema: answerOf(reference('NarrowedKey')),
};

const id: Schema = {
  ...{ name: 'id', in: 'path', required: true, description: 'The id of the key.' },
  ...{ schema: { type: 'string' }, example: keyExample.id },
};

export function narrowedExample(state: string) {
  const revoked = state === 'revoked' ? { revoked_at: '2031-01-01T12:00:00Z' } : {};
  return { data: { ...keyExample, ...revoked, state, etag: 'v2', ...settlementExample } };
}

export const rotatedExample = {
  data: {
    ...{
      ...keyExample,
      id: 'key_01k0e8h3v8s9w2m4n5p7q8r9t1',
      rotated_from: keyExample.id,
      key: secretExample,
    },
    rotated_key: {
      ...{ ...keyExample, expires_at: '2031-01-02T12:00:00Z', etag: 'v2' },
      replaced_by: 'key_01k0e8h3v8s9w2m4n5p7q8r9t1',
    },
    ...settlementExample,
  },
};

const usageExample = {
  buckets: [{ start: '2031-01-01T12:00:00Z', allowed: 12, denied: { rate_limited: 3 }, observed: {} }],
  ...{ last_used_at: '2031-01-01T12:34:56Z', addresses: ['203.0.113.7'] },
};
