import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import type { Reply } from './listener.ts';

export interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, DocumentedOperation>>>>;
  readonly components: {
    readonly responses: Readonly<Record<string, DocumentedResponse>>;
    readonly schemas: Readonly<Record<string, { readonly properties?: object }>>;
  };
}

export interface DocumentedOperation {
  readonly operationId: string;
  readonly description: string;
  readonly parameters?: readonly object[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly example: unknown }>> };
  readonly responses: Readonly<Record<string, DocumentedResponse>>;
}

interface DocumentedResponse {
  readonly $ref?: string;
  readonly content?: Readonly<Record<string, { readonly schema: object; readonly example: unknown }>>;
}

export interface DocumentedRoute extends DocumentedOperation {
  readonly path: string;
  readonly method: string;
}

/** Every operation of a document, with where it stands. */
export function routesIn({ paths }: Document): DocumentedRoute[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      ...operation,
      path,
      method: method.toUpperCase(),
    })),
  );
}

/** Every `METHOD /path` that an app serves which is made while `make` runs, but for HEAD and what it refuses with 405. */
export async function servedRoutes(make: () => Promise<unknown>): Promise<string[]> {
  const served: string[] = [];
  const listen = (message: unknown) => {
    const { fastify } = message as {
      readonly fastify: { addHook(name: 'onRoute', hook: (route: Route) => void): void };
    };
    fastify.addHook('onRoute', ({ url, method }) => {
      const methods = [method].flat().filter((name) => name !== 'HEAD');
      const isRefusal = methods.includes('TRACE');
      const path = url
        .replaceAll(/(\/:\w+)\([^)]*\)/g, '$1')
        .replaceAll('::', ':')
        .replaceAll(/\/:(\w+)/g, '/{$1}');
      if (!isRefusal) served.push(...methods.map((name) => `${name} ${path}`));
    });
  };
  subscribe('fastify.initialization', listen);
  await make();
  unsubscribe('fastify.initialization', listen);
  return served;
}

interface Route {
  readonly url: string;
  readonly method: string | string[];
}

/** Says in what something is not as the document describes it, more than it describes included; nothing if it is. */
export function createJudge(document: Document) {
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateSchema: false });
  formats.default(ajv);
  ajv.addSchema(strict({ ...document, $id: 'openapi' }));

  return {
    judge(operation: DocumentedRoute, { status, headers, json, text }: Reply): string[] {
      const { operationId: id } = operation;
      const { response, pointer } = responseOf(document, operation, status);
      if (response === undefined) return [`${id} does not say that it may answer ${status}`];
      const type = headers.get('content-type')?.replace(/;.*/, '') ?? '';
      if (response.content?.[type] === undefined) return [`${id} does not say that it may answer ${type}`];
      const value = type === 'application/json' ? json : text;
      return faultsOf(value, `${pointer}/content/${pointerPart(type)}/schema`).map(
        (fault) => `${id} ${fault}`,
      );
    },
    judgeAs: (schema: string, value: unknown) => faultsOf(value, `/components/schemas/${schema}`),
  };

  function faultsOf(value: unknown, pointer: string): string[] {
    const validate = ajv.compile({ $ref: `openapi#${pointer}` });
    if (validate(value)) return [];
    const faults = validate.errors ?? [];
    return faults.map(({ instancePath, message, params }) =>
      [instancePath, message, JSON.stringify(params)].join(' '),
    );
  }
}

function responseOf(document: Document, { path, method, responses }: DocumentedRoute, status: number) {
  const response = responses[status];
  const reference = response?.$ref?.replace('#/components/responses/', '');
  if (reference === undefined) {
    return { response, pointer: `/paths/${pointerPart(path)}/${method.toLowerCase()}/responses/${status}` };
  }
  return {
    response: document.components.responses[reference],
    pointer: `/components/responses/${reference}`,
  };
}

function pointerPart(part: string): string {
  return encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'));
}

/** Objects have no other members than those that are described. */
function strict<T>(value: T): T {
  if (Array.isArray(value)) return value.map(strict) as T;
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.fromEntries(Object.entries(value).map(([name, member]) => [name, strict(member)]));
  const isClosed = 'properties' in value && 'type' in value && !('additionalProperties' in value);
  return (isClosed ? { ...members, additionalProperties: false } : members) as T;
}
