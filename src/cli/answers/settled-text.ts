import { printable } from '../terminal/output.ts';

/** From when on a change holds on every replica, and who has not confirmed it yet. */
export interface Settled {
  readonly effective_at: string;
  readonly unconfirmed_replicas: readonly string[];
}

/** `what`, and from when on `then` is so on every replica, a line each. */
export function settledText(what: string, then: string, settled: Settled): string {
  const { effective_at: at, unconfirmed_replicas: replicas } = settled;
  const lines =
    replicas.length === 0
      ? [`${what}: ${then} since ${at}`]
      : [`${what}: ${then} from ${at} on`, `not confirmed yet by: ${replicas.join(', ')}`];
  return lines.map((line) => `${printable(line)}\n`).join('');
}
