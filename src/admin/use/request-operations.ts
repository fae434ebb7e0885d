import { hash } from 'node:crypto';
import { Failure, invalidArgument, notFound } from '../../failure.ts';
import type { Store } from '../../store/store.ts';
import type { RequestFilter, RequestPlace, StoredRequest } from '../../store/usage/request-log.ts';
import { type Call, keyId, ownerFor, visibleTo } from '../call.ts';
import { cut, pageSize } from '../page.ts';
import { readInput } from '../read-input.ts';
import { listKeyRequestsInput, listRequestsInput } from './request-input.ts';

export interface RequestPage {
  /** Newest first. */
  readonly requests: readonly StoredRequest[];
  /** Null on the last page. */
  readonly nextPageToken: string | null;
}

/** What became of requests. */
export interface RequestOperations {
  /** Those of one key, or with null of all keys and of none; an admin key that has an owner sees those of its keys. */
  listKeyRequests(call: Call, id: string | null, input: unknown): Promise<RequestPage>;
}

export interface RequestOperationsDependencies {
  readonly store: Pick<Store, 'getKey' | 'listRequests'>;
  /** Whether requests are logged at all; default: they are. */
  readonly isRequestLogOn?: (() => boolean) | undefined;
}

export function createRequestOperations({
  store,
  isRequestLogOn = () => true,
}: RequestOperationsDependencies): RequestOperations {
  return {
    async listKeyRequests(call, id, input) {
      if (!isRequestLogOn()) throw off();
      return id === null ? listAll(call, input) : listOf(call, id, input);
    },
  };

  async function listOf(call: Call, id: string, input: unknown): Promise<RequestPage> {
    const asked = readInput(listKeyRequestsInput, input);
    const key = await store.getKey(keyId(id));
    if (key === null || !visibleTo(call)(key)) throw notFound('key');
    return list({ ...filterOf(asked), key: key.id }, asked);
  }

  async function listAll(call: Call, input: unknown): Promise<RequestPage> {
    const asked = readInput(listRequestsInput, input);
    const owner = ownerFor(call, asked.owner);
    const { reason } = asked;
    const filter = { ...(owner !== null && { owner }), ...(reason !== null && { reason }) };
    const page = await list({ ...filterOf(asked), ...filter }, asked);
    return call.identity.portal === null ? page : { ...page, requests: await visible(call, page.requests) };
  }

  /** Those of keys that the caller may know of; so a page may be shorter than was asked for. */
  async function visible(call: Call, requests: readonly StoredRequest[]): Promise<StoredRequest[]> {
    const isVisible = visibleTo(call);
    const ids = new Set(requests.flatMap(({ key }) => (key === null ? [] : [key])));
    // No more than there are rows on a page.
    const keys = await Promise.all([...ids].map((id) => store.getKey(id)));
    const seen = new Set(keys.flatMap((key) => (key !== null && isVisible(key) ? [key.id] : [])));
    return requests.filter(({ key }) => key !== null && seen.has(key));
  }

  async function list(filter: RequestFilter, page: Page): Promise<RequestPage> {
    const size = pageSize(page.page_size);
    const after = page.page_token ? readToken(page.page_token, filter) : null;
    const { shown, last } = cut(await store.listRequests(filter, { after, size: size + 1 }), size);
    return { requests: shown, nextPageToken: last === null ? null : writeToken(last, filter) };
  }
}

interface Page {
  readonly page_size?: number | null | undefined;
  readonly page_token?: string | null | undefined;
}

interface Asked {
  readonly since: number | null;
  readonly until: number | null;
  readonly decision: RequestFilter['decision'] | null;
}

function filterOf({ since, until, decision }: Asked): RequestFilter {
  return {
    ...(since !== null && { since }),
    ...(until !== null && { until }),
    ...(decision != null && { decision }),
  };
}

/** Opaque to callers: the last row shown, and the query it belongs to. */
function writeToken({ at, id }: RequestPlace, filter: RequestFilter): string {
  return Buffer.from(`${markOf(filter)}r${at}.${id}`).toString('base64url');
}

function readToken(token: string, filter: RequestFilter): RequestPlace {
  const text = Buffer.from(token, 'base64url').toString('latin1');
  const mark = markOf(filter);
  const [, at, id] = /^r([0-9]{1,15})\.([A-Za-z0-9_-]{1,64})$/.exec(text.slice(mark.length)) ?? [];
  if (at === undefined || id === undefined)
    throw refused('is not one that this service gave for a list of requests');
  if (!text.startsWith(mark)) throw refused('belongs to a query with other filters');
  return { at: Number(at), id };
}

function markOf({ key, owner, decision, reason, since, until }: RequestFilter): string {
  const parts = [key, owner, decision, reason, since, until].map((part) => part ?? null);
  return hash('sha256', JSON.stringify(parts), 'base64url').slice(0, 16);
}

function refused(description: string): Failure {
  return invalidArgument([{ field: 'page_token', description }]);
}

function off(): Failure {
  const message = 'Requests are not logged here: request_log.enabled is false in the settings.';
  return new Failure('NOT_FOUND', 'REQUEST_LOG_OFF', message);
}
