import { z } from 'zod';
import { duration } from './setting-forms.ts';

/** How the pages for people are served. */
export interface ConsoleSettings {
  /** A session that was not used for so long has ended. */
  readonly sessionIdleMs: number;
  /** A session that began so long ago has ended. */
  readonly sessionMaxMs: number;
  /** Whether browsers reach it by TLS. */
  readonly isSecure: boolean;
  /** What sessions are sealed by; null where each process makes its own. */
  readonly sessionSecret: Buffer | null;
}

const day = 86_400_000;

/** `console` in the settings. */
export const consoleSpec = z.strictObject({
  enabled: z
    .boolean()
    .default(true)
    .describe('Whether there are pages for people under /console on the HTTP listener.'),
  session_idle: duration(60_000, day)
    .prefault('30m')
    .describe('How long a session lasts without being used.'),
  session_max: duration(60_000, 30 * day)
    .prefault('12h')
    .describe('How long a session lasts at most.'),
  behind_tls: z
    .boolean()
    .default(false)
    .describe('Whether browsers reach it by TLS of a proxy in front; where http.tls is set they do.'),
});

/** Null where there are to be no pages. */
export function consoleOf(
  { enabled, session_idle, session_max, behind_tls }: z.output<typeof consoleSpec>,
  hasTls: boolean,
  sessionSecret: Buffer | null,
): ConsoleSettings | null {
  if (!enabled) return null;
  return {
    ...{ sessionIdleMs: session_idle, sessionMaxMs: session_max },
    ...{ isSecure: behind_tls || hasTls, sessionSecret },
  };
}
