import { emptyInput, holderRotateInput } from '../../admin/admin-input.ts';
import { inputSchema } from '../../admin/admin-input-schema.ts';
import { keyExample } from './examples.ts';
import { narrowedExample, rotatedExample } from './key.ts';
import {
  bodySchema,
  idempotencyKeyHeader,
  type Operations,
  requestIdHeader,
  type Schema,
} from './operation.ts';
import { answerOf, closed, list, orNull, reference, text, time } from './schema-forms.ts';

/** What whoever has a key may do with it, by the key itself. */
export function holderOperations(): Operations {
  const nothing = { schema: inputSchema(emptyInput), isOptional: true, example: {} };
  return {
    '/api-key': {
      get: {
        ...{ id: 'GetOwnKey', tag: 'Holder', summary: 'Tells whoever has a key what it is' },
        description: `Spends nothing of its limits. There unless \`holder.read\` is false. ${shown}`,
        parameters: [requestIdHeader],
        answer: {
          description: 'The key, what it holds in all, and how it stands with its limits.',
          schema: answerOf(ownKey),
          example: { data: ownKeyExample },
        },
        ...{ errors: [404, 500, 503], others: denials },
      },
      delete: {
        ...{ id: 'RevokeOwnKey', tag: 'Holder', summary: 'Revokes the key that the call is made with' },
        description: `For good, as RevokeKey does. There unless \`holder.revoke\` is false. ${shown}`,
        ...{ parameters: [requestIdHeader], request: nothing },
        answer: {
          description: 'The key, and from when on that holds on every replica.',
          schema: answerOf(reference('NarrowedKey')),
          example: narrowedExample('revoked'),
        },
        ...{ errors: [400, 404, 409, 500, 503], others: denials },
      },
    },
    '/api-key:rotate': {
      post: {
        ...{ id: 'RotateOwnKey', tag: 'Holder', summary: 'Replaces the key that the call is made with' },
        description: `As RotateKey does; the new key has what the old one had. There where \`holder.rotate\` is true. ${shown}`,
        parameters: [idempotencyKeyHeader, requestIdHeader],
        request: {
          schema: bodySchema(inputSchema(holderRotateInput)),
          isOptional: true,
          example: { grace_period: '1h' },
        },
        answer: {
          status: 201,
          description: 'The new key with its secret, and the old one as it is from now on.',
          schema: answerOf(reference('RotatedKey')),
          example: rotatedExample,
        },
        ...{ errors: [400, 404, 409, 500, 503], others: denials },
      },
    },
  };
}

const shown = 'The key stands where its scheme wants it; one that may not pass is told so as by a Check.';

const denials: Readonly<Record<number, Schema>> = Object.fromEntries(
  [401, 402, 403].map((status) => [
    status,
    {
      description: 'The key may not pass; the body is that of its scheme.',
      content: {
        'application/json': {
          schema: { type: 'object' },
          example: { error: { code: 'invalid_api_key', message: 'This API key is not valid.' } },
        },
      },
    },
  ]),
);

const ownKey = closed({
  id: text('Its id.'),
  name: text('Its name.'),
  prefix: text('The beginning that may be shown.'),
  last4: text('The end that may be shown.'),
  scheme: text('Its scheme.'),
  environment: text('Its environment.'),
  owner: orNull(text('Whose it is; null for nobody in particular.')),
  permissions: list({ type: 'string' }, 'What it holds in all, by itself and by its roles.'),
  expires_at: orNull(time('When it ends; null for never.')),
  state: text('What it is good for.', { enum: ['active', 'disabled', 'revoked', 'expired'] }),
  limits: list(reference('UsedLimit'), 'How it stands with its limits, as GetKeyLimits says.'),
});

const ownKeyExample = {
  ...{ id: keyExample.id, name: keyExample.name, prefix: keyExample.prefix, last4: keyExample.last4 },
  ...{ scheme: keyExample.scheme, environment: keyExample.environment, owner: keyExample.owner },
  ...{ permissions: keyExample.permissions, expires_at: keyExample.expires_at, state: keyExample.state },
  limits: [],
};
