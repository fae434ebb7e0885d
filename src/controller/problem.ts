import type { z } from 'zod';

import { AdminProblem } from './admin.ts';
import { ClusterError } from './cluster/cluster.ts';

/** Why something cannot be as it is asked for, until somebody changes something. */
export class Problem extends Error {
  /** As the condition has it, `SecretExists`. */
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.name = 'Problem';
    this.reason = reason;
  }
}

/** Whether it stays so until somebody changes something, rather than goes by itself. */
export function isRefusal(error: unknown): boolean {
  if (error instanceof AdminProblem) return !error.isAway;
  if (!(error instanceof ClusterError)) return error instanceof Problem;
  const { status } = error;
  return status !== null && status < 500 && status !== 409 && status !== 429;
}

/** What a condition says of whatever was thrown. */
export function problemOf(error: unknown): { readonly reason: string; readonly message: string } {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof Problem) return { reason: error.reason, message };
  if (error instanceof AdminProblem) {
    return { reason: error.isAway ? 'PosternUnavailable' : 'PosternRefused', message };
  }
  if (error instanceof ClusterError) return { reason: 'KubernetesRefused', message };
  return { reason: 'Failed', message };
}

/** Names the first member of an object's spec that is wrong. */
export function invalidSpec({ issues }: Pick<z.ZodError, 'issues'>): Problem {
  const said = issues.slice(0, 1).map(({ path, message }) => `${['spec', ...path].join('.')}: ${message}`);
  return new Problem('InvalidSpec', said.join());
}
