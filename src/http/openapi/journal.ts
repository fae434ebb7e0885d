import { listAuditEventsInput, reportLeakedKeysInput, watchKeysInput } from '../../admin/admin-input.ts';
import { type InputSchema, inputSchema } from '../../admin/admin-input-schema.ts';
import { auditEventExample, secretExample, settlementExample } from './examples.ts';
import { bodySchema, type Operations, queryParameters, requestIdHeader, type Schema } from './operation.ts';
import { answerOf, closed, count, pageOf, reference, text } from './schema-forms.ts';
import { settlement } from './schemas.ts';

/** The routes of what happened, and happens. */
export function journalOperations(): Operations {
  return {
    '/admin/audit-events': {
      get: {
        ...{ id: 'ListAuditEvents', tag: 'Journal' },
        summary: 'Lists admin calls that changed something or were refused',
        description: 'An admin key that has an owner sees what is about the keys of that owner.',
        parameters: queryParameters(inputSchema(listAuditEventsInput)),
        answer: {
          description: 'A page of events.',
          schema: pageOf('AuditEvent'),
          example: { data: [auditEventExample], next_page_token: null },
        },
      },
    },
    '/admin/events': {
      get: {
        ...{
          id: 'WatchKeys',
          tag: 'Journal',
          summary: 'Tells of events as they happen',
        },
        description:
          'Server-Sent Events: `id` is a resume token, `event` the type, `data` the event as JSON (the schema `Event`). ' +
          'Comments keep the connection alive. The answer has no end of its own.',
        parameters: [...queryParameters(inputSchema(watchKeysInput)), lastEventId],
        answer: {
          description: 'The events, at least once and in the order of the audit log.',
          type: 'text/event-stream',
          // What `data` of each event holds.
          schema: { type: 'string', contentSchema: reference('Event') },
          example: eventStreamExample,
        },
        errors: [429],
      },
    },
  };
}

/** The routes of keys that leaked. */
export function leakOperations(): Operations {
  return {
    '/admin/leaked-keys': {
      post: {
        ...{ id: 'ReportLeakedKeys', tag: 'Leaks' },
        summary: 'Revokes keys that were found where they should not be',
        description: 'The answer is the same whether or not they were keys.',
        parameters: [requestIdHeader],
        request: {
          schema: leakedSchema(),
          example: { keys: [{ key: secretExample, url: 'https://paste.example/7', source: 'paste watch' }] },
        },
        answer: {
          description: 'How many were reported, and from when on no replica lets one of them in.',
          schema: answerOf(closed({ received, ...settlement })),
          example: { data: { received: 1, ...settlementExample } },
        },
      },
    },
    '/leaks/github': {
      post: {
        ...{ id: 'ReportLeakedKeysByGithub', tag: 'Leaks' },
        summary: "Takes the messages of GitHub's secret scanning",
        description:
          'Of its partner programme; the signature is the credential. There only where `leaks.github.public_keys` is set.',
        parameters: githubHeaders,
        request: {
          schema: githubSchema,
          example: [{ token: secretExample, type: 'postern_key', source: 'commit' }],
        },
        answer: {
          description: 'How many were reported, whether or not they were keys.',
          schema: answerOf(closed({ received })),
          example: { data: { received: 1 } },
        },
        errors: [400, 401, 403, 404, 500, 503],
      },
    },
  };
}

const lastEventId: Schema = {
  ...{ name: 'Last-Event-ID', in: 'header', description: 'As `resume_token`, over which it wins.' },
  schema: { type: 'string' },
};

const eventStreamExample = [
  'retry: 1000\n\n: nothing new\nid: evt_0000000000000041\n\nid: evt_0000000000000042\nevent: key.revoked\n',
  'data: {"id":"evt_0000000000000042","type":"key.revoked","at":"2031-01-01T12:00:00.012Z",…}\n\n',
].join('');

const received = count('How many secrets were reported.');

function leakedSchema(): Schema {
  const whole = bodySchema(inputSchema(reportLeakedKeysInput));
  const { keys } = whole.properties as { readonly keys: InputSchema };
  return { ...whole, properties: { keys: { ...keys, items: bodySchema(keys.items ?? {}) } } };
}

const githubHeaders: readonly Schema[] = [
  ['Github-Public-Key-Identifier', 'Which of the public keys it was signed with.'],
  ['Github-Public-Key-Signature', 'ECDSA on P-256 with SHA-256 over the body, base64.'],
].map(([name, description]) => ({
  ...{ name, description, in: 'header', required: true },
  schema: { type: 'string' },
}));

const githubSchema: Schema = {
  type: 'array',
  items: {
    type: 'object',
    properties: {
      token: text('The secret, as it was found.'),
      type: text('What GitHub takes it for.'),
      url: text('Where it was found.'),
      source: text('In what it was found, as in `commit`.'),
    },
    required: ['token'],
  },
};
