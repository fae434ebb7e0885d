import { InvalidArgumentError } from 'commander';

/** A limit as `--rate-limit` says it, in the API's shape. */
export interface LimitFlag {
  readonly name?: string;
  readonly limit: number;
  readonly window?: string;
  readonly period?: string;
  readonly shared_by?: string;
}

export const rateLimitFlag = '--rate-limit <limit>';
export const rateLimitNote =
  'its own rate limit: 100/60s; repeat for more, with names: burst=10/1s, monthly=100000/month/owner';

const form = /^(?:([^=/]+)=)?([0-9]{1,16})\/([^/]+)(?:\/(key|owner))?$/;

/** Gathers `100/60s`, `burst=10/1s`, `monthly=100000/month/owner` of a flag that may be repeated. */
export function rateLimit(text: string, before: LimitFlag[] = []): LimitFlag[] {
  const [, name, limit, per = '', sharedBy] = form.exec(text) ?? [];
  if (limit === undefined) {
    throw new InvalidArgumentError(
      'Write it as LIMIT/WINDOW, such as 100/60s, or NAME=LIMIT/PERIOD/owner, such as monthly=100000/month/owner.',
    );
  }
  const isWindow = /^[0-9]/.test(per);
  return [
    ...before,
    {
      ...(name !== undefined && { name }),
      limit: Number(limit),
      ...(isWindow ? { window: per } : { period: per }),
      ...(sharedBy !== undefined && { shared_by: sharedBy }),
    },
  ];
}

/** The members of the body that say them: the short one where that says it all. */
export function rateLimitMembers(limits: readonly LimitFlag[] | undefined): Record<string, unknown> {
  const [only, ...others] = limits ?? [];
  if (only === undefined) return {};
  const { name, window, shared_by, limit } = only;
  const isShort =
    others.length === 0 && name === undefined && window !== undefined && shared_by === undefined;
  return isShort ? { rate_limit: { limit, window } } : { rate_limits: limits };
}
