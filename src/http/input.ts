import type { FastifyRequest } from 'fastify';
import { Failure, type FieldViolation, invalidArgument } from '../failure.ts';

/** What a request carries for an operation, or the fault that lets none take it. */
export type Input =
  | { readonly value: unknown; readonly fault: null }
  | { readonly value: null; readonly fault: Failure };

/**
 * Runs an operation on what the request carries. A caller who may not run it at all is told so before they
 * are told of a fault in their request: the operation then gets an input that it refuses.
 */
export async function operate<T>(input: Input, operation: (value: unknown) => Promise<T>): Promise<T> {
  if (input.fault === null) return operation(input.value);
  try {
    await operation(undefined);
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'INVALID_ARGUMENT') throw error;
  }
  throw input.fault;
}

/** The bytes of a request's body; none where it has no body. */
export function bodyOf({ body }: FastifyRequest): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0);
}

/** Reads a body as JSON, whatever its type says it is. No part of the body is quoted in a fault. */
export function bodyInput(body: Buffer): Input {
  if (body.length === 0) return fault('(body)', 'is empty; send a JSON object');
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    return fault('(body)', 'is not UTF-8');
  }
  try {
    const value = JSON.parse(text, refusePrototype);
    return isObject(value) ? { value, fault: null } : fault('(body)', 'is no JSON object');
  } catch {
    return fault('(body)', 'is no JSON that can be read');
  }
}

/** Throws INVALID_ARGUMENT unless the body of a call that takes none is empty or an empty object. */
export function refuseBody(body: Buffer): void {
  if (body.length === 0) return;
  const input = bodyInput(body);
  if (input.fault !== null) throw input.fault;
  const names = Object.keys(Object(input.value));
  if (names.length === 0) return;
  throw invalidArgument(names.map((field) => ({ field, description: 'unknown field' })));
}

/** The query as an input object: `page_size` is a number, all else is text. */
export function queryInput(url: string): Input {
  const start = url.indexOf('?');
  const parameters = new URLSearchParams(start < 0 ? '' : url.slice(start + 1));
  const violations: FieldViolation[] = [];
  const value = new Map<string, unknown>();
  for (const [name, text] of parameters) {
    if (value.has(name)) violations.push({ field: name, description: 'is given more than once' });
    if (name !== 'page_size') value.set(name, text);
    else if (/^[0-9]{1,10}$/.test(text)) value.set(name, Number(text));
    else violations.push({ field: name, description: 'is no whole number' });
  }
  if (violations.length > 0) return { value: null, fault: invalidArgument(violations) };
  return { value: Object.fromEntries(value), fault: null };
}

function fault(field: string, description: string): Input {
  return { value: null, fault: invalidArgument([{ field, description }]) };
}

/** A member of this name is data to `JSON.parse`, and a trap to whatever copies it. */
function refusePrototype(name: string, value: unknown): unknown {
  if (name === '__proto__') throw new SyntaxError('a member may not be called __proto__');
  return value;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
