import { inputSchema } from '../../admin/admin-input-schema.ts';
import { listKeyRequestsInput, listRequestsInput } from '../../admin/use/request-input.ts';
import { getUsageInput } from '../../admin/use/usage-input.ts';
import { requestDecisions } from '../../store/usage/request-log.ts';
import { usageCsvHead, usageCsvLine } from '../../usage/usage-csv.ts';
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
    '/admin/usage': {
      get: {
        ...{ id: 'GetUsage', tag: 'Keys', summary: 'Adds up what keys were used for' },
        description:
          'By key, owner, plan, scheme or environment, hour by hour, day by day, month by month or in all; may lag by up to 10 s. ' +
          'With `Accept: text/csv` as a table, of all rows unless `page_size` is given. An admin key that has an owner sees the use of its keys.',
        parameters: queryParameters(inputSchema(getUsageInput)).map(noted),
        answer: {
          ...{ description: 'A page of use.', schema: pageOf('UsageRow') },
          example: { data: [usageExample], next_page_token: null },
          csv: usageCsvHead() + usageCsvLine({ ...usageExample, start: Date.parse(usageExample.start) }),
        },
      },
    },
  };
}

const usageNotes: Readonly<Record<string, string>> = {
  since:
    'From the hour on that holds this time. Absent: 24 hours, 30 days or 12 months before `until`, by the interval; for `all` whatever is kept. Hours are kept 90 days, days 400 days, months ten years: of what is older, from the day or month on.',
  until: 'Before this time. Absent: now.',
  owner: 'Use of keys of this owner.',
  order_by:
    '`allowed` or `denied`, the most first; `start`, the newest first and within it what was allowed the most. Absent: `allowed`.',
  page_size: 'How many in one answer, up to 10000. Absent or 0: 100.',
  page_token: 'The `next_page_token` of the answer before, with the same fields.',
};

function noted(parameter: Schema): Schema {
  return { ...parameter, description: usageNotes[String(parameter.name)] ?? parameter.description };
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

const usageExample = {
  ...{ group: 'acme', start: '2031-01-01T00:00:00Z', allowed: 1_200_000 },
  ...{ denied: { rate_limited: 1_200, expired: 3 }, observed: {} },
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
  UsageRow: closed({
    group: orNull(
      text(
        'The id of a key or an owner, or a name; the plan is the one that held. Null for `none`, and for keys that have no owner or no plan.',
      ),
    ),
    start: orNull(time('When the interval began; null for `all`.')),
    allowed: count('Requests that were allowed.'),
    denied: { type: 'object', additionalProperties: { type: 'integer' }, description: 'Denied, by reason.' },
    observed: {
      ...{ type: 'object', additionalProperties: { type: 'integer' } },
      description: 'Allowed though they would have been denied, since they are only observed, by reason.',
    },
  }),
};
