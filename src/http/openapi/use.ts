import { inputSchema } from '../../admin/admin-input-schema.ts';
import { listKeyRequestsInput, listRequestsInput } from '../../admin/use/request-input.ts';
import { requestDecisions } from '../../store/request-log.ts';
import { keyExample } from './examples.ts';
import { type Operations, queryParameters, type Schema } from './operation.ts';
import { closed, count, orNull, pageOf, text, time } from './schema-forms.ts';

/** The routes of what keys do. */
export function useOperations(): Operations {
  return {
    '/admin/api-keys/{id}/requests': {
      get: {
        ...{ id: 'ListKeyRequests', tag: 'Keys', summary: 'Lists what became of the requests of a key' },
        description: `${requestNote} There only while \`request_log.enabled\` holds.`,
        parameters: [id, ...queryParameters(inputSchema(listKeyRequestsInput))],
        answer: { ...requestsAnswer, example: { data: [requestExample], next_page_token: null } },
        errors: [404],
      },
    },
    '/admin/requests': {
      get: {
        ...{
          id: 'ListRequests',
          rpc: 'ListKeyRequests',
          tag: 'Keys',
          summary: 'Lists what became of requests with any key, or with none',
        },
        description: `${requestNote} An admin key that has an owner sees those of its keys. There only while \`request_log.enabled\` holds.`,
        parameters: queryParameters(inputSchema(listRequestsInput)),
        answer: { ...requestsAnswer, example: { data: [requestExample], next_page_token: null } },
        errors: [404],
      },
    },
  };
}

const requestNote =
  'The newest first; may lag by up to 10 s. The same request within a minute is one row with its count.';

const requestsAnswer = { description: 'A page of requests.', schema: pageOf('LoggedRequest') };

const id: Schema = {
  ...{ name: 'id', in: 'path', required: true, description: 'The id of the key.' },
  ...{ schema: { type: 'string' }, example: keyExample.id },
};

const requestExample = {
  ...{ at: '2031-01-01T12:00:00Z', count: 12, key_id: keyExample.id },
  ...{ method: 'GET', host: 'api.example.com', path: '/v1/assets', address: '203.0.113.7' },
  ...{ decision: 'deny', reason: 'rate_limited', status: 429, scheme: 'postern', environment: 'live' },
};

export const useSchemas: Readonly<Record<string, Schema>> = {
  LoggedRequest: closed({
    at: time('When the first of them came.'),
    count: count('How many there were within that minute.'),
    key_id: orNull(text('The id of the key; null where no such key is known.')),
    method: orNull(text('Null where it was none, or `path` is null.')),
    host: orNull(text('As the client sent it, in lower case.')),
    path: orNull(
      text(
        'Without its query, a key in it as its prefix and `…`. Null where the key had more than 200 in that minute: the rest are counted here.',
      ),
    ),
    address: orNull(text('The IP address that it came from.')),
    decision: text('What became of it; `observed`: would have been denied, but for observe mode.', {
      enum: requestDecisions,
    }),
    reason: orNull(text('Why it was denied, as in `rate_limited`; null for an allow.')),
    status: { type: 'integer', description: 'The HTTP status of the denial; 200 for an allow.' },
    scheme: text('The scheme of the key, or in whose words was denied.'),
    environment: orNull(text('The environment of the key, or that the route asked for.')),
  }),
};
