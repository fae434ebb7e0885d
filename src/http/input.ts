import type { FastifyRequest } from 'fastify';
import { Failure, type FieldViolation, invalidArgument } from '../failure.ts';
import { repeatedMembers } from './repeated-members.ts';

/** What a request carries for an operation, or the fault that lets none take it. */
export type Input =
  | { readonly value: unknown; readonly fault: null }
  | { readonly value: null; readonly fault: Failure };

/**
 * Runs an operation on what the request carries. A caller who may not run it at all is told so before they
 * are told of a fault in their request: the operation then gets null, which none of them takes.
 */
export async function operate<T>(input: Input, operation: (value: unknown) => Promise<T>): Promise<T> {
  if (input.fault === null) return operation(input.value);
  try {
    await operation(null);
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'INVALID_ARGUMENT') throw error;
  }
  throw input.fault;
}

/** The bytes of a request's body; none where it has no body. */
export function bodyOf({ body }: FastifyRequest): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0);
}

/** Reads a body as JSON, whatever its type says it is. No value in the body is quoted in a fault. */
export function bodyInput(request: FastifyRequest): Input {
  return queryFault(request) ?? jsonInput(bodyOf(request));
}

/** What is said in a query (`?update_mask=plan`) would be overlooked, and more be changed than was asked for. */
function queryFault({ url }: FastifyRequest, except: readonly string[] = []): Input | null {
  const start = url.indexOf('?');
  const given = new URLSearchParams(start < 0 ? '' : url.slice(start + 1)).keys();
  const names = new Set([...given].filter((name) => !except.includes(name)));
  if (names.size === 0) return null;
  const description = 'unknown field: this call reads its body, and nothing in the address behind ?';
  return { value: null, fault: invalidArgument([...names].map((field) => ({ field, description }))) };
}

function jsonInput(body: Buffer): Input {
  if (body.length === 0) return fault('(body)', 'is empty; send a JSON object');
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    return fault('(body)', 'is not UTF-8');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return fault('(body)', 'cannot be read as JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return fault('(body)', 'is not a JSON object');
  }
  const violations = repeatedMembers(text).map((field) => ({
    field,
    description: 'is given more than once',
  }));
  return violations.length > 0 ? { value: null, fault: invalidArgument(violations) } : { value, fault: null };
}

/**
 * {@link bodyInput} for a call that can do without a body: none is as an empty object. Parameters of these names may stand
 * in the address.
 */
export function optionalBodyInput(request: FastifyRequest, parameters: readonly string[] = []): Input {
  const none: Input = { value: {}, fault: null };
  return (
    queryFault(request, parameters) ?? (bodyOf(request).length === 0 ? none : jsonInput(bodyOf(request)))
  );
}

/** The etag may stand in `If-Match` as well (RFC 9110, section 13.1.1), with its quotes or without; `*` asks for none. */
export function withIfMatch(input: Input, { headers }: FastifyRequest): Input {
  const given = headers['if-match']?.trim();
  if (input.fault !== null || given === undefined || given === '*') return input;
  const quoted = /^"([^"]*)"$/.exec(given)?.[1];
  const etag = quoted ?? given;
  const inBody = Object(input.value).etag ?? etag;
  if (inBody === etag) return { value: { ...Object(input.value), etag }, fault: null };
  return fault('etag', 'is not the one in If-Match');
}

/** What makes a retry safe may stand in `Idempotency-Key` as well, with the quotes of a structured field or without. */
export function withIdempotencyKey(input: Input, { raw }: Pick<FastifyRequest, 'raw'>): Input {
  const given = raw.rawHeaders.filter((_, at) => at % 2 === 1 && isIdempotencyKey(raw.rawHeaders[at - 1]));
  if (input.fault !== null || given.length === 0) return input;
  if (given.length > 1) return fault('request_id', 'is given more than once, by Idempotency-Key');
  const name = given[0]?.trim() ?? '';
  const requestId = /^"([^"]*)"$/.exec(name)?.[1] ?? name;
  const inBody = Object(input.value).request_id ?? requestId;
  if (inBody === requestId) return { value: { ...Object(input.value), request_id: requestId }, fault: null };
  return fault('request_id', 'is not the one in Idempotency-Key');
}

function isIdempotencyKey(name: string | undefined): boolean {
  return name?.toLowerCase() === 'idempotency-key';
}

/** The query as an input object: `page_size` is a number, `notices` and `include_total` true or false, all else is text. */
export function queryInput(url: string): Input {
  const start = url.indexOf('?');
  const parameters = new URLSearchParams(start < 0 ? '' : url.slice(start + 1));
  const violations: FieldViolation[] = [];
  const value = new Map<string, unknown>();
  /** Null for what is given more than once. */
  const texts = new Map<string, string | null>();
  for (const [name, text] of parameters) texts.set(name, texts.has(name) ? null : text);
  for (const [name, text] of texts) {
    if (text === null) violations.push({ field: name, description: 'is given more than once' });
    else if (name === 'page_size') {
      if (/^[0-9]{1,10}$/.test(text)) value.set(name, Number(text));
      else violations.push({ field: name, description: 'is not a whole number, 0 or more' });
    } else if (['notices', 'history', 'include_total'].includes(name)) {
      if (text === 'true' || text === 'false') value.set(name, text === 'true');
      else violations.push({ field: name, description: 'is neither true nor false' });
    } else value.set(name, text);
  }
  if (violations.length > 0) return { value: null, fault: invalidArgument(violations) };
  return { value: Object.fromEntries(value), fault: null };
}

function fault(field: string, description: string): Input {
  return { value: null, fault: invalidArgument([{ field, description }]) };
}
