import { z } from 'zod';
import type { RateLimit } from '../keys/key.ts';
import { parseDuration } from '../time/time.ts';

const unitsMax = 1_000_000_000;

const durationError = 'expected a number and a unit: 90s, 15m, 36h, 30d';

/** A length of time with a unit, `60s`, `30d`; reads as milliseconds. */
export const durationSpec = z
  .string({ error: durationError })
  .meta({ pattern: '^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)$' })
  .transform((text, context) => {
    const ms = parseDuration(text);
    if (ms !== null) return ms;
    context.addIssue(durationError);
    return z.NEVER;
  });

/** `{limit: 300, window: 60s}` */
export const rateLimitSpec = z
  .strictObject({ limit: z.int().min(1, 'expected 1 or more').max(unitsMax), window: durationSpec })
  .transform(({ limit, window }): RateLimit => ({ limit, windowMs: window }));

/** A plan's limit, or `unlimited` for one whose keys have limits of their own or none. */
export const planSpec = z.union([rateLimitSpec, z.literal('unlimited').transform(() => null)], {
  error: 'expected {limit: 300, window: 60s} or unlimited',
});
