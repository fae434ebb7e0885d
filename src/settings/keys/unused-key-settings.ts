import { z } from 'zod';
import type { UnusedKeySettings } from '../../events/unused-keys.ts';
import { duration, reloadable } from '../setting-forms.ts';

const after = duration(1_000, 3_650 * 86_400_000);

/** What becomes of keys that nobody uses. */
export const unusedKeysSpec = z
  .strictObject({
    notify_after: after
      .optional()
      .describe('After how long without a use a key is told of, by the event key.unused (default: never).')
      .register(reloadable, { isList: false }),
    disable_after: after
      .optional()
      .describe('After how long it is disabled, unless it is an admin key (default: never).')
      .register(reloadable, { isList: false }),
  })
  .refine(({ notify_after = 0, disable_after = Number.POSITIVE_INFINITY }) => notify_after <= disable_after, {
    path: ['disable_after'],
    error: 'is shorter than notify_after; expected that a key is told of before it is disabled',
  });

export function unusedKeysOf({
  notify_after,
  disable_after,
}: z.output<typeof unusedKeysSpec>): UnusedKeySettings {
  return { notifyAfterMs: notify_after ?? null, disableAfterMs: disable_after ?? null };
}
