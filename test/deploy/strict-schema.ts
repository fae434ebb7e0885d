import type { Schema } from './schema-sources.ts';

/** Where the definition of a custom resource holds value checks, whose fields are declared outside them. */
const CHECKS = ['allOf', 'anyOf', 'oneOf', 'not'];
const METADATA = { $ref: 'core#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' };

/** Kubernetes's own types, none of which may be null: the API drops such a field without a word. */
export function withoutNull(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutNull);
  if (!isObject(schema)) return schema;
  const { type } = schema;
  const rest = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, withoutNull(value)]));
  return Array.isArray(type) ? { ...rest, type: type.filter((each) => each !== 'null') } : rest;
}

/**
 * The schema of a custom resource as JSON Schema which refuses what the API server would prune: a field that is not
 * declared. Its rules in CEL are not looked at.
 */
export function strictCustom(schema: Schema, apiVersion: string, kind: string): Schema {
  const { properties, required, ...rest } = strict(schema);
  return {
    ...rest,
    properties: {
      ...(properties as Schema),
      apiVersion: { const: apiVersion },
      kind: { const: kind },
      metadata: METADATA,
    },
    required: ['apiVersion', 'kind', 'metadata', ...((required as string[] | undefined) ?? [])].filter(
      (name, at, all) => all.indexOf(name) === at,
    ),
    additionalProperties: false,
  };
}

function strict(schema: Schema): Schema {
  const { nullable, ...rest } = schema;
  const out: { [member: string]: unknown } = { ...rest };
  const { type, properties, items, additionalProperties, pattern } = schema;

  if (isObject(properties)) {
    const members = Object.entries(properties).map(([name, each]) => [name, strict(each as Schema)]);
    const resource = schema['x-kubernetes-embedded-resource']
      ? { apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: METADATA }
      : {};
    out.properties = { ...Object.fromEntries(members), ...resource };
    const open = schema['x-kubernetes-preserve-unknown-fields'] || additionalProperties !== undefined;
    if (!open) out.additionalProperties = false;
  }
  if (isObject(items)) out.items = strict(items);
  if (isObject(additionalProperties)) out.additionalProperties = strict(additionalProperties);
  if (schema['x-kubernetes-int-or-string']) out.type = ['integer', 'string'];
  else if (nullable && typeof type === 'string') out.type = [type, 'null'];
  // Go's way to match in any case, as JavaScript writes it.
  if (typeof pattern === 'string' && pattern.includes('(?i)')) {
    out.pattern = `(?i:${pattern.replace('(?i)', '')})`;
  }
  // The members of these say what has to hold of fields, as JSON Schema does: they stay as they are.
  for (const check of CHECKS) if (check in schema) out[check] = schema[check];
  return out;
}

function isObject(value: unknown): value is { readonly [member: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
