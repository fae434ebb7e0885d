import type { Operations } from './operation.ts';
import { answerOf, closed, list, text } from './schema-forms.ts';

const texts = { type: 'string' };

/** The route that says what may be asked for. */
export const termsOperations: Operations = {
  '/admin/terms': {
    get: {
      ...{ id: 'GetTerms', tag: 'Keys' },
      summary: 'Says who calls, and what keys they may ask for',
      description: 'For forms and command lines that offer a choice.',
      answer: {
        description: 'The caller, and the schemes that are configured.',
        schema: answerOf(
          closed({
            actor: text('As in the audit log: the id of the admin key, or another name of the caller.'),
            permissions: list(texts, '`admin:read`, and `admin:write` where they may change things.'),
            owner: {
              ...{ type: ['string', 'null'] },
              description: 'The one owner whose keys they see and change; null for all.',
            },
            schemes: list(
              closed({
                name: text('What `scheme` of a key says.'),
                environments: list(texts, 'The one of a key that names none comes first.'),
                plans: list(texts, 'The plans that its keys may have; empty where any name will do.'),
                imports_only: {
                  type: 'boolean',
                  description:
                    'Its keys have no prefix: they are imported, and CreateKey refuses to make any.',
                },
                places: list(
                  closed({
                    in: text('The part of the request.', { enum: ['header', 'query', 'cookie'] }),
                    name: text('Of the header, in lower case, the query parameter or the cookie.'),
                    word: {
                      type: ['string', 'null'],
                      description: 'The word before the key, as in `Bearer`.',
                    },
                  }),
                  'Where its keys may sit in a request; the first is where they usually do.',
                ),
              }),
              'The one of a key that names none comes first.',
            ),
            lifetime_max: {
              ...{ type: ['string', 'null'] },
              description: 'The longest life that a key surely may have by `key_rules`, as in `90d`.',
            },
            lifetime_default: {
              ...{ type: ['string', 'null'] },
              description: 'The life of a key for which none is asked, where a rule says one.',
            },
            allowlist_required: {
              type: 'boolean',
              description: 'Whether a key may need an `ip_allowlist`.',
            },
            replicas: {
              ...{ type: ['integer', 'null'] },
              description: 'Replicas that a change has to reach; null where nobody knows.',
            },
          }),
        ),
        example: {
          data: {
            ...{ actor: 'POSTERN_ADMIN_KEY', permissions: ['admin:read', 'admin:write'], owner: null },
            schemes: [
              {
                ...{ name: 'postern', environments: ['live', 'test'], plans: [], imports_only: false },
                places: [{ in: 'header', name: 'authorization', word: 'Bearer' }],
              },
            ],
            ...{ lifetime_max: '90d', lifetime_default: null, allowlist_required: false },
            replicas: 3,
          },
        },
      },
    },
  },
};
