import { bulkOperations } from './bulk.ts';
import { holderOperations } from './holder.ts';
import { journalOperations, leakOperations } from './journal.ts';
import { keyOperations } from './key.ts';
import { keysOperations } from './keys.ts';
import { type Operations, operationObject, type Schema } from './operation.ts';
import { ownerOperations } from './owners.ts';
import { portalOperations, portalSchemas } from './portal.ts';
import { roleOperations, roleSchemas } from './roles.ts';
import { reference } from './schema-forms.ts';
import { schemas } from './schemas.ts';
import { serviceOperations } from './service.ts';
import { termsOperations } from './terms.ts';
import { useOperations, useSchemas } from './use.ts';

/** The whole REST API as an OpenAPI 3.1 document; what requests take is read from the schemas that judge them. */
export function openapiDocument(version: string): Schema {
  const operations: Operations = {
    ...keysOperations(),
    ...keyOperations(),
    ...useOperations(),
    ...bulkOperations(),
    ...ownerOperations(),
    ...roleOperations(),
    ...portalOperations(),
    ...journalOperations(),
    ...leakOperations(),
    ...holderOperations(),
    ...termsOperations,
    ...serviceOperations,
  };
  return {
    openapi: '3.1.1',
    info: {
      title: 'Postern',
      version,
      summary: 'API-key authorization for Envoy and Istio: the admin API',
      description,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/', description: 'The HTTP listener, `http.listen` in the settings' }],
    security: [{ adminKey: [] }, { clientCertificate: [] }],
    tags,
    paths: Object.fromEntries(
      Object.entries(operations).map(([path, methods]) => [path, pathObject(methods)]),
    ),
    components: {
      schemas: { ...schemas, ...roleSchemas, ...portalSchemas, ...useSchemas },
      responses: errorResponses(),
      securitySchemes,
    },
  };
}

const description = [
  'Makes, changes and withdraws API keys, and says what became of them. The same operations are there over gRPC, as',
  '`postern.admin.v1.KeyAdmin`.',
  '',
  'Times are RFC 3339 in UTC. What is absent is null. Bodies are JSON whatever their `Content-Type` says; an unknown',
  'member is an error that names it. An admin key is a key of the scheme `postern` with the permission `admin:read`',
  'or `admin:write`, which includes reading; one that has an owner sees and changes the keys of that owner alone.',
  '',
  'Before an operation is found, a request may also be answered with 405 (another method on the path, see `Allow`),',
  '408, 414 or 431, in the same form of an error.',
].join('\n');

const tags = [
  { name: 'Keys', description: 'Making, changing and withdrawing keys.' },
  { name: 'Owners', description: 'Whose keys may be used, and until when.' },
  { name: 'Roles', description: 'Permissions under one name, which keys hold by naming the role.' },
  { name: 'Portal sessions', description: 'Links by which customers look after their keys in the console.' },
  { name: 'Journal', description: 'What happened, and what happens.' },
  { name: 'Leaks', description: 'Keys that were found where they should not be.' },
  { name: 'Holder', description: 'What whoever has a key may do with it, by the key itself.' },
  { name: 'Service', description: 'How the service stands. Nothing but diagnostics needs a key.' },
];

const securitySchemes = {
  adminKey: { type: 'http', scheme: 'bearer', description: 'An admin key.' },
  clientCertificate: {
    type: 'mutualTLS',
    description: 'A client certificate whose name is among `admin.clients` of the settings.',
  },
};

const errors: Readonly<Record<number, readonly [code: string, reason: string, message: string]>> = {
  400: ['INVALID_ARGUMENT', 'INVALID_FIELD', 'name: is required'],
  401: ['UNAUTHENTICATED', 'ADMIN_KEY_REQUIRED', 'There is no valid admin key.'],
  403: ['PERMISSION_DENIED', 'ADMIN_PERMISSION_REQUIRED', 'The admin key may not do this.'],
  404: ['NOT_FOUND', 'KEY_NOT_FOUND', 'There is no key with this id.'],
  409: ['FAILED_PRECONDITION', 'KEY_REVOKED', 'A revoked key cannot be changed; create a new one.'],
  413: ['RESOURCE_EXHAUSTED', 'BODY_TOO_LARGE', 'The body is too large.'],
  429: ['RESOURCE_EXHAUSTED', 'TOO_MANY_WATCHES', 'This replica has as many watches as it takes.'],
  500: ['INTERNAL', 'INTERNAL', 'Something is broken in the service; its log has the cause.'],
  503: ['UNAVAILABLE', 'STORE_UNAVAILABLE', 'The store cannot be reached; try again.'],
};

const errorNotes: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT: the request cannot be read, or fields are at fault, all of which are named.',
  401: 'UNAUTHENTICATED: there is no valid credential.',
  403: 'PERMISSION_DENIED: the credential may not do this; said before whether the thing exists.',
  404: 'NOT_FOUND: there is no such thing, or none that the caller may see.',
  409: 'FAILED_PRECONDITION: the state of the thing forbids it. ABORTED: it has another etag, or others keep changing it.',
  413: 'RESOURCE_EXHAUSTED: the body is too large.',
  429: 'RESOURCE_EXHAUSTED: there is no room for more.',
  500: 'INTERNAL: something is broken.',
  503: 'UNAVAILABLE: the store could not be asked; worth trying again.',
};

const errorHeaders: Readonly<Record<number, Schema>> = {
  401: {
    'WWW-Authenticate': { description: 'Says that a bearer token is asked for.', schema: { type: 'string' } },
  },
  503: { 'Retry-After': { description: 'Seconds to wait.', schema: { type: 'string' } } },
};

function errorResponses(): Schema {
  const entries = Object.entries(errors).map(([status, [code, reason, message]]) => {
    const fields = status === '400' ? { fields: [{ field: 'name', description: 'is required' }] } : {};
    const response = {
      description: errorNotes[Number(status)],
      ...(errorHeaders[Number(status)] && { headers: errorHeaders[Number(status)] }),
      content: {
        'application/json': {
          schema: reference('Error'),
          example: { error: { code, message, details: { reason, ...fields } } },
        },
      },
    };
    return [`Error${status}`, response];
  });
  return Object.fromEntries(entries);
}

function pathObject(methods: Operations[string]): Schema {
  return Object.fromEntries(
    Object.entries(methods).map(([method, operation]) => [method, operationObject(operation)]),
  );
}
