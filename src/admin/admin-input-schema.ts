import { z } from 'zod';

/** As much of JSON Schema (draft 2020-12) as an input has. */
export interface InputSchema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, InputSchema>>;
  readonly required?: readonly string[];
  readonly items?: InputSchema;
  readonly anyOf?: readonly InputSchema[];
  readonly not?: InputSchema;
  readonly [keyword: string]: unknown;
}

/**
 * What an admin call takes, by the schema that reads it. Members that are only there to be refused are left out, and
 * what may be null says so by its type.
 */
export function inputSchema(input: z.ZodType): InputSchema {
  const { $schema: _, ...schema } = z.toJSONSchema(input, {
    io: 'input',
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema }) {
      if (zodSchema._zod.def.type === 'undefined') jsonSchema.not = {};
    },
  });
  return plain(schema as InputSchema);
}

function plain(schema: InputSchema): InputSchema {
  const { properties, items, anyOf, ...rest } = schema;
  const members = Object.entries(properties ?? {}).filter(([, member]) => !isRefused(member));
  return {
    ...(anyOf === undefined ? {} : oneOrNull(anyOf.map(plain))),
    ...rest,
    ...(properties !== undefined && {
      properties: Object.fromEntries(members.map(([name, member]) => [name, plain(member)])),
    }),
    ...(items !== undefined && { items: plain(items) }),
  };
}

function isRefused({ not, anyOf = [] }: InputSchema): boolean {
  return not !== undefined || anyOf.some((form) => form.not !== undefined);
}

/** `{anyOf: [{type: 'string'}, {type: 'null'}]}` as `{type: ['string', 'null']}`. */
function oneOrNull(forms: readonly InputSchema[]): InputSchema {
  const flat = forms.flatMap((form) => form.anyOf ?? [form]);
  const [form, ...others] = flat.filter(({ type }) => type !== 'null');
  const isNullable = others.length === 0 && flat.length === 2;
  if (!isNullable || typeof form?.type !== 'string') return { anyOf: flat };
  const { enum: values } = form;
  return { ...form, type: [form.type, 'null'], ...(Array.isArray(values) && { enum: [...values, null] }) };
}
