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
