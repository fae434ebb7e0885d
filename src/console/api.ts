import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Terms } from '../admin/terms-operations.ts';
import type { AuditEvent, Key, KeyLimit, KeyPage, LoggedRequest, Owner, Page, Usage } from './api-answers.ts';
import { Refusal } from './refusal.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** The REST API, as whoever asked for the page. What it refuses is a thrown {@link Refusal}. */
export interface Api {
  call<T>(method: Method, path: string, body?: object): Promise<T>;
  terms(): Promise<Terms>;
  /** The same, telling in entries of the journal whose pages somebody of these terms may not open. */
  seenBy(terms: Terms): Api;
  key(id: string): Promise<Key>;
  keys(query: string): Promise<KeyPage>;
  usage(id: string, sinceIso: string): Promise<Usage>;
  /** Rows of it as CSV. */
  usageCsv(query: string): Promise<string>;
  limits(id: string): Promise<readonly KeyLimit[]>;
  /** Of one key, or with null of all; null where requests are not logged. */
  requests(id: string | null, query: string): Promise<Page<LoggedRequest> | null>;
  owners(query: string): Promise<Page<Owner>>;
  events(query: string): Promise<Page<AuditEvent>>;
}

interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly details: {
      readonly reason: string;
      readonly fields?: readonly { readonly field: string; readonly description: string }[];
    };
  };
}

const passedOn = ['x-request-id', 'traceparent', 'tracestate'];

/** Calls the routes of the same process, from the address that the page was asked for from. */
export function createApi(app: FastifyInstance, request: FastifyRequest, authorization: string): Api {
  const headers = { ...headersOf(request), authorization };
  // It takes no empty address, and would put 127.0.0.1 in its place; this one is taken for none.
  const remoteAddress = request.raw.socket.remoteAddress ?? 'unix';

  async function call<T>(method: Method, path: string, body?: object): Promise<T> {
    return JSON.parse(await answered(method, path, body)) as T;
  }

  async function answered(method: Method, path: string, body?: object, accept?: string): Promise<string> {
    const payload = body === undefined ? {} : { payload: JSON.stringify(body) };
    const asked = accept === undefined ? headers : { ...headers, accept };
    const url = `/admin/${path}`;
    const answer = await app.inject({ method, url, headers: asked, remoteAddress, ...payload });
    if (answer.statusCode < 300) return answer.body;
    const { message, details } = (JSON.parse(answer.body) as ErrorBody).error;
    throw new Refusal(answer.statusCode, details.reason, message, details.fields);
  }
  const dataOf = async <T>(path: string) => (await call<{ data: T }>('GET', path)).data;

  const api: Api = {
    call,
    terms: () => dataOf('terms'),
    seenBy: (terms) =>
      terms.owner === null ? api : { ...api, events: async (query) => bound(await api.events(query), terms) },
    key: (id) => dataOf(`api-keys/${encodeURIComponent(id)}`),
    keys: (query) => call('GET', `api-keys?${query}`),
    usage: (id, sinceIso) => dataOf(`api-keys/${encodeURIComponent(id)}/usage?since=${sinceIso}`),
    usageCsv: (query) => answered('GET', `usage?${query}`, undefined, 'text/csv'),
    limits: (id) => dataOf(`api-keys/${encodeURIComponent(id)}/limits`),
    async requests(id, query) {
      const path = id === null ? 'requests' : `api-keys/${encodeURIComponent(id)}/requests`;
      try {
        return await call('GET', `${path}?${query}`);
      } catch (error) {
        if (error instanceof Refusal && error.reason === 'REQUEST_LOG_OFF') return null;
        throw error;
      }
    },
    owners: (query) => call('GET', `owners?${query}`),
    events: (query) => call('GET', `audit-events?${query}`),
  };
  return api;
}

/** Who is bound to an owner sees that owner's keys; admin keys without one, and strangers, act on them too. */
function bound(page: Page<AuditEvent>, terms: Terms): Page<AuditEvent> {
  return {
    ...page,
    data: page.data.map((event) => ({ ...event, isActorHidden: event.actor !== terms.actor })),
  };
}

function headersOf({ headers }: FastifyRequest): Record<string, string> {
  return Object.fromEntries(
    passedOn.flatMap((name) => {
      const value = headers[name];
      return typeof value === 'string' ? [[name, value] as const] : [];
    }),
  );
}
