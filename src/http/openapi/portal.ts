import { inputSchema } from '../../admin/admin-input-schema.ts';
import { createPortalSessionInput } from '../../admin/people/portal-input.ts';
import { bodySchema, type Operations, requestIdHeader, type Schema } from './operation.ts';
import { answerOf, closed, list, orNull, reference, text, time } from './schema-forms.ts';
import { texts } from './schemas.ts';

const portalExample = {
  id: 'ps_q2V8yM0sT1aZr7Kd9bXc3w',
  owner: 'acme',
  permissions: ['keys:read', 'keys:write', 'usage:read'],
  return_url: 'https://portal.example.com/settings',
  created_at: '2031-01-01T12:00:00Z',
  opened_at: null,
  expires_at: '2031-01-01T13:00:00Z',
  ended_at: null,
};

/** The routes under `/admin/portal-sessions`. */
export function portalOperations(): Operations {
  const { id, owner, permissions, return_url, expires_at } = portalExample;
  return {
    '/admin/portal-sessions': {
      post: {
        ...{ id: 'CreatePortalSession', tag: 'Portal sessions', summary: 'Makes a link to the console' },
        description:
          'Who follows the link, once and within 5 minutes, looks after the keys of one owner in the console, for a while.',
        parameters: [requestIdHeader],
        request: {
          schema: bodySchema(inputSchema(createPortalSessionInput)),
          example: { owner, permissions, return_url, expires_in: '1h' },
        },
        answer: {
          status: 201,
          description: 'The session and its link, which is in no other answer.',
          schema: answerOf(reference('MadePortalSession')),
          example: {
            data: { id, url: `https://console.example.com/console/portal/${id}.SECRET`, expires_at },
          },
        },
        errors: [409],
      },
    },
    '/admin/portal-sessions/{id}': {
      delete: {
        ...{ id: 'DeletePortalSession', tag: 'Portal sessions', summary: 'Ends a portal session' },
        description: 'No replica shows a page by it any more. One that has ended already stays as it is.',
        parameters: [
          {
            ...{ name: 'id', in: 'path', required: true, description: 'The session.' },
            ...{ schema: { type: 'string', maxLength: 128 }, example: id },
          },
          requestIdHeader,
        ],
        answer: {
          description: 'The session.',
          schema: answerOf(reference('PortalSession')),
          example: { data: { ...portalExample, ended_at: portalExample.expires_at } },
        },
        errors: [404],
      },
    },
  };
}

const id = text('`ps_` and a random part.');
const expiresAt = time('When the session ends by itself.');

/** The schemas that these operations refer to, by their names. */
export const portalSchemas: Readonly<Record<string, Schema>> = {
  MadePortalSession: closed({
    id,
    url: text('Opens the session once, within 5 minutes.'),
    expires_at: expiresAt,
  }),
  PortalSession: closed({
    id,
    owner: text('Whose keys it is for.'),
    permissions: list(texts, 'What it is for.'),
    return_url: orNull(text('Where a link on every page leads back to.')),
    created_at: time('When it was made.'),
    opened_at: orNull(time('When its link was opened.')),
    expires_at: expiresAt,
    ended_at: orNull(time('When somebody ended it.')),
  }),
};
