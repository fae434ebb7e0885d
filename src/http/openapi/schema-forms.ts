import type { Schema } from './operation.ts';

/** An object whose members are all there, in this order; `optional` ones may be absent. */
export function closed(
  properties: Readonly<Record<string, Schema>>,
  optional: readonly string[] = [],
): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', properties, required };
}

/** `{"data": …}` */
export function answerOf(data: Schema): Schema {
  return closed({ data });
}

/** `{"data": […], "next_page_token": …}`, with more that may be there. */
export function pageOf(item: string, more: Readonly<Record<string, Schema>> = {}): Schema {
  const token = orNull(text('Opaque; the `page_token` of the next page. Null on the last one.'));
  return closed({ data: list(reference(item)), next_page_token: token, ...more }, Object.keys(more));
}

export function reference(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

export function text(description: string, more: Schema = {}): Schema {
  return { type: 'string', description, ...more };
}

export function time(description: string): Schema {
  return text(description, { format: 'date-time' });
}

export function count(description: string): Schema {
  return { type: 'integer', minimum: 0, description };
}

export function list(items: Schema, description?: string): Schema {
  return { type: 'array', items, ...(description !== undefined && { description }) };
}

export function orNull(schema: Schema): Schema {
  return { ...schema, type: [schema.type, 'null'] };
}
