import type { Operations } from './operation.ts';
import { answerOf, closed, count, list, text } from './schema-forms.ts';

/** The routes about the service itself. */
export const serviceOperations: Operations = {
  '/admin/diagnostics': {
    get: {
      ...{
        id: 'GetDiagnostics',
        tag: 'Service',
        summary: 'Says how the service stands',
      },
      description: 'For `postern doctor`. Needs an admin key without an owner.',
      answer: {
        description: 'What the service can tell by itself.',
        schema: answerOf(
          closed({
            version: text('Of the service.'),
            store: text('Which store it is on.', { enum: ['sqlite', 'mongodb'] }),
            peppers: list(
              closed({
                id: text('The id of the pepper; empty for none.'),
                keys: count('Keys whose digest was made with it.'),
                configured: { type: 'boolean', description: 'Whether those keys can be recognised.' },
                signing: { type: 'boolean', description: 'Whether new digests are made with it.' },
              }),
            ),
            findings: list(
              closed({
                level: text('How bad it is.', { enum: ['error', 'warning', 'info'] }),
                code: text('The kind of finding.'),
                where: {
                  type: ['string', 'null'],
                  description: 'What it is about, where there may be several.',
                },
                what: text('A sentence.'),
                cure: text('What to do about it; empty where nothing is to be done.'),
              }),
            ),
            store_reachable: { type: 'boolean', description: 'Whether the store answers.' },
            keys: {
              ...closed({
                active: count('Keys that may be used.'),
                disabled: count('Keys that are disabled.'),
                revoked: count('Keys that were revoked and are still on record.'),
                expired: count('Keys that have expired and are still on record.'),
              }),
              type: ['object', 'null'],
            },
            replicas: list(
              closed({
                id: text('As its settings name it.'),
                lag_ms: count(
                  'How old what it knew was when it last registered, and for how long that is overdue; 0 on SQLite.',
                ),
              }),
            ),
            uptime_s: count('How long the replica that answers has served, in seconds.'),
            now: text('The clock of the replica that answers, to the millisecond.', { format: 'date-time' }),
          }),
        ),
        example: {
          data: {
            ...{ version: '0.1.0', store: 'sqlite' },
            peppers: [{ id: '', keys: 7, configured: true, signing: true }],
            findings: [
              {
                ...{ level: 'warning', code: 'clock.replica', where: 'replica postern-1' },
                what: 'Its clock is 2.1 s behind the store.',
                cure: 'Let NTP set both clocks.',
              },
            ],
            now: '2031-01-31T12:00:00.000Z',
            store_reachable: true,
            keys: { active: 5, disabled: 0, revoked: 1, expired: 1 },
            replicas: [{ id: 'postern-0', lag_ms: 0 }],
            uptime_s: 86_400,
          },
        },
      },
    },
  },
  '/.well-known/jwks.json': {
    get: {
      ...{ id: 'Jwks', tag: 'Service', summary: 'Lists the keys that identity tokens are verified with' },
      description: 'A JWK Set (RFC 7517). A 404 where no `identity_token` is configured.',
      answer: {
        description: 'The keys, the one that signs and those whose tokens may still be out.',
        schema: closed({ keys: { type: 'array', items: { type: 'object' } } }),
        example: { keys: [] },
      },
      errors: [404],
    },
  },
  '/healthz': {
    get: {
      ...{ id: 'Healthz', tag: 'Service', summary: 'Says that the process is up' },
      answer: {
        description: 'It is.',
        schema: closed({ status: { const: 'ok' } }),
        example: { status: 'ok' },
      },
    },
  },
  '/readyz': {
    get: {
      ...{ id: 'Readyz', tag: 'Service', summary: 'Says whether requests may be sent here' },
      answer: {
        description: 'They may.',
        schema: closed({ status: { const: 'ready' } }),
        example: { status: 'ready' },
      },
      others: {
        503: {
          description: 'They may not yet, or not any more.',
          content: {
            'application/json': {
              schema: closed({ status: { const: 'not ready' }, reason: text('What is missing.') }),
              example: { status: 'not ready', reason: 'the store has not been reached yet' },
            },
          },
        },
      },
    },
  },
  '/metrics': {
    get: {
      ...{
        id: 'Metrics',
        tag: 'Service',
        summary: 'Gives the metrics, as Prometheus reads them',
      },
      answer: {
        description: 'The text format of Prometheus.',
        ...{ type: 'text/plain', schema: { type: 'string' } },
        example: '# TYPE postern_checks_total counter\n',
      },
    },
  },
  '/openapi.json': {
    get: {
      ...{ id: 'Openapi', tag: 'Service', summary: 'Gives this document' },
      answer: {
        description: 'OpenAPI 3.1.',
        schema: { type: 'object' },
        example: { openapi: '3.1.1' },
      },
    },
  },
};
