import { z } from 'zod';

/** Settings that a running service takes over when they are read again; all others hold from the next start on. */
export const reloadable = z.registry<{ readonly isList: boolean }>();

/** The names of those in a part of the settings, as in `log.level`. */
export function reloadableIn(shape: z.core.$ZodShape, path = ''): { name: string; isList: boolean }[] {
  return Object.entries(shape).flatMap(([member, schema]) => {
    const found = reloadable.get(schema as z.ZodType);
    if (found !== undefined) return [{ name: `${path}${member}`, isList: found.isList }];
    const section = schema instanceof z.ZodPrefault ? schema.unwrap() : schema;
    return section instanceof z.ZodObject ? reloadableIn(section.shape, `${path}${member}.`) : [];
  });
}
