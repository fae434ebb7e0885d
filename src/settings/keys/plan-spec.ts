import { z } from 'zod';
import {
  defaultLimitName,
  type Limit,
  limitMax,
  limitsOfShort,
  limitsPerListMax,
  noLimits,
  periods,
} from '../../keys/limit.ts';
import { parseDuration } from '../../time/time.ts';

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

const windowSpec = durationSpec.refine(
  (ms) => ms >= 1_000,
  'expected 1s or more: headers tell the length of a window in seconds',
);

const unitsError = `expected a whole number from 1 to ${limitMax}`;
const units = z
  .int({ error: unitsError })
  .min(1, { error: unitsError })
  .max(limitMax, { error: unitsError })
  .describe('Units in each window or period.');

/** `{limit: 300, window: 60s}` */
export const rateLimitSpec = z
  .strictObject({ limit: units, window: windowSpec.describe('The length of the window.') })
  .transform(({ limit, window }): readonly Limit[] => limitsOfShort({ limit, windowMs: window }));

const nameError = 'expected 1 to 32 characters of a-z, 0-9, _ and -';
const periodError = `expected one of ${periods.join(', ')}`;
const sharedError = 'expected key or owner';

const limitSpec = z
  .strictObject({
    name: z
      .string({ error: nameError })
      .regex(/^[a-z0-9_-]{1,32}$/, { error: nameError })
      .nullish()
      .describe('What answers call it; needed where there is more than one (default: default).'),
    limit: units,
    window: windowSpec
      .nullish()
      .describe('The length of its windows, which begin at whole multiples since 1970.'),
    period: z
      .enum(periods, { error: periodError })
      .nullish()
      .describe("A period of the calendar in UTC, or from the owner's billing anchor; total never resets."),
    shared_by: z
      .enum(['key', 'owner'], { error: sharedError })
      .nullish()
      .describe('Who spends from one counter: each key, or all keys of an owner (default: key).'),
  })
  .superRefine(({ window, period }, context) => {
    if (window == null && period == null)
      context.addIssue({ code: 'custom', message: 'expected a window or a period' });
    if (window != null && period != null) {
      context.addIssue({
        code: 'custom',
        path: ['period'],
        message: 'goes without a window: give one of them',
      });
    }
  });

const countError = `expected 1 to ${limitsPerListMax} limits`;

/** Several limits that hold at once. */
export const limitListSpec = z
  .array(limitSpec)
  .max(limitsPerListMax, { error: countError })
  .superRefine((list, context) => {
    for (const [place, { name }] of list.entries()) {
      const [issue] = [nameIssue(list, place, name ?? null)];
      if (issue !== null) context.addIssue({ code: 'custom', path: [place, 'name'], message: issue });
    }
  })
  .transform((list): readonly Limit[] =>
    list.map(({ name, limit, window, period, shared_by }) => ({
      ...{ name: name ?? defaultLimitName, limit },
      per: window ?? period ?? 'total',
      sharedBy: shared_by ?? 'key',
    })),
  );

function nameIssue(
  list: readonly { readonly name?: string | null | undefined }[],
  place: number,
  name: string | null,
): string | null {
  if (name === null) return list.length > 1 ? 'is required where there is more than one limit' : null;
  const first = list.findIndex((other) => other.name === name);
  return first < place ? `is that of another limit: ${name}` : null;
}

const planError =
  'expected {limit: 300, window: 60s}, {limits: [{name: burst, limit: 10, window: 1s}, …]} or unlimited';

/** A plan's limits; none for `unlimited`, whose keys have limits of their own or none. */
export const planSpec = z
  .union(
    [
      rateLimitSpec,
      z
        .strictObject({
          limits: limitListSpec
            .refine(
              (list) => list.length > 0,
              'expected 1 limit or more; write unlimited for a plan without limits',
            )
            .describe('Limits that all hold.'),
        })
        .transform(({ limits }) => limits),
      z.literal('unlimited').transform(() => noLimits),
    ],
    { error: planError },
  )
  .describe('Its limits, one, several, or unlimited.');
