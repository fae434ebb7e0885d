import { z } from 'zod';
import type { SettingPath } from './config-problem.ts';
import { presetName, settingsSchema } from './settings-schema.ts';

/** As much of JSON Schema (draft 2020-12) as is read here. */
export interface JsonSchema {
  readonly type?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
}

/** The JSON Schema of the settings file; given the names of the presets, `schemes` lists no other. */
export function settingsJsonSchema(presets: readonly string[] = []): JsonSchema {
  return z.toJSONSchema(settingsSchema, {
    io: 'input',
    override({ zodSchema, jsonSchema }) {
      if (zodSchema === presetName && presets.length > 0) jsonSchema.enum = [...presets];
    },
  }) as JsonSchema;
}

/** The settings that there are under a path of the tree. */
export function knownSettings(path: SettingPath): string[] {
  const forms = path.reduce((parents: JsonSchema[], part) => {
    const parts = parents.flatMap((form) => schemaAt(form, part) ?? []);
    return parts.flatMap(formsOf);
  }, formsOf(settingsJsonSchema()));
  return [...new Set(forms.flatMap((form) => Object.keys(form.properties ?? {})))];
}

/** The schema of one part of what a schema describes; null when it describes none of that name. */
export function schemaAt(schema: JsonSchema, part: string | number): JsonSchema | null {
  if (typeof part === 'number') return schema.items ?? null;
  const { properties, additionalProperties: others } = schema;
  if (properties !== undefined && Object.hasOwn(properties, part)) return properties[part] ?? null;
  return typeof others === 'object' ? others : null;
}

/** A schema and, of one with several forms, each of them. */
export function formsOf(schema: JsonSchema): JsonSchema[] {
  return [schema, ...(schema.anyOf ?? []).flatMap(formsOf)];
}
