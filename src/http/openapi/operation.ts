import type { InputSchema } from '../../admin/admin-input-schema.ts';
import { permissionFor } from '../../admin/operation-permissions.ts';
import { fieldNotes } from './fields.ts';

/** A JSON Schema (draft 2020-12), as OpenAPI 3.1 has it. */
export type Schema = Readonly<Record<string, unknown>>;

/** One operation of the REST API, in the terms of this service. */
export interface Operation {
  /** The RPC's name; what has another name, and names no RPC below, asks for no admin key. */
  readonly id: string;
  /** Of a second route to one RPC. */
  readonly rpc?: string;
  readonly tag: 'Keys' | 'Owners' | 'Roles' | 'Portal sessions' | 'Journal' | 'Leaks' | 'Holder' | 'Service';
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: readonly Schema[];
  readonly request?: { readonly schema: Schema; readonly isOptional?: boolean; readonly example: unknown };
  readonly answer: {
    readonly status?: number;
    readonly description: string;
    readonly type?: string;
    readonly schema: Schema;
    readonly example: unknown;
    /** For who asks for it in `Accept`: an example of CSV. */
    readonly csv?: string;
  };
  /** Answers besides the good one and those that every operation may give. */
  readonly errors?: readonly number[];
  /** Answers of other forms than the errors of the API, by their status. */
  readonly others?: Readonly<Record<number, Schema>>;
}

/** Path → method → operation. */
export type Operations = Readonly<Record<string, Readonly<Record<string, Operation>>>>;

/** Names the call in the journal. */
export const requestIdHeader: Schema = {
  ...{ name: 'X-Request-Id', in: 'header', description: 'Names the call in the audit log.' },
  schema: { type: 'string', maxLength: 128 },
};

/** Makes a retry safe. */
export const idempotencyKeyHeader: Schema = {
  ...{ name: 'Idempotency-Key', in: 'header', description: 'As `request_id` in the body.' },
  schema: { type: 'string', maxLength: 130 },
};

/** Says which version of a thing is meant. */
export const ifMatchHeader: Schema = {
  ...{ name: 'If-Match', in: 'header', description: 'As `etag` in the body.' },
  schema: { type: 'string' },
};

/** An operation as OpenAPI has it. */
export function operationObject(operation: Operation): Schema {
  const { id, tag, summary, description, parameters = [], request, answer } = operation;
  const needs = permissionFor(operation.rpc ?? id);
  const needed = needs === null ? [] : [`Needs \`${needs}\`.`];
  return {
    operationId: id,
    tags: [tag],
    summary,
    description: [description, ...needed].filter((text) => text !== undefined).join(' ') || summary,
    ...(needs === null && { security: [] }),
    ...(parameters.length > 0 && { parameters }),
    ...(request !== undefined && { requestBody: bodyObject(request) }),
    responses: {
      [answer.status ?? 200]: {
        description: answer.description,
        content: {
          ...content(answer.type ?? 'application/json', answer.schema, answer.example),
          ...(answer.csv !== undefined && content('text/csv', { type: 'string' }, answer.csv)),
        },
      },
      ...Object.fromEntries(errorsOf(operation).map((status) => [status, errorReference(status)])),
      ...operation.others,
    },
  };
}

/** The parameters of a query, as the schema of an input describes them. */
export function queryParameters(input: InputSchema): Schema[] {
  return Object.entries(input.properties ?? {}).map(([name, member]) => ({
    name,
    in: 'query',
    ...(member.type?.includes('array') && { style: 'form', explode: false }),
    ...noted(name, withoutNull(member)),
  }));
}

/** The schema of a body, as that of an input describes it, each member with what it is for. */
export function bodySchema(input: InputSchema): Schema {
  const members = Object.entries(input.properties ?? {});
  return {
    ...input,
    properties: Object.fromEntries(
      members.map(([name, member]) => [name, { description: noted(name, {}).description, ...member }]),
    ),
  };
}

function bodyObject({ schema, isOptional = false, example }: NonNullable<Operation['request']>): Schema {
  return { required: !isOptional, content: content('application/json', schema, example) };
}

function content(type: string, schema: Schema, example: unknown): Schema {
  return { [type]: { schema, example } };
}

function errorsOf({ id, rpc = id, request, errors = [] }: Operation): number[] {
  const called = permissionFor(rpc) === null ? [] : [400, 401, 403, 500, 503];
  const read = request === undefined ? [] : [413];
  return [...new Set([...called, ...read, ...errors])].toSorted((one, other) => one - other);
}

function errorReference(status: number): Schema {
  return { $ref: `#/components/responses/Error${status}` };
}

function noted(name: string, schema: Schema) {
  const description = fieldNotes[name];
  if (description === undefined) throw new Error(`no note says what the field ${name} is for`);
  return { description, schema };
}

function withoutNull(schema: InputSchema): Schema {
  const { type, enum: values, ...rest } = schema;
  const types = [type ?? []].flat().filter((one) => one !== 'null');
  return {
    ...(types.length > 0 && { type: types.length === 1 ? types[0] : types }),
    ...(Array.isArray(values) && { enum: values.filter((value) => value !== null) }),
    ...rest,
  };
}
