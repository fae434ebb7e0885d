import { z } from 'zod';
import type { Settled } from '../answers/settled-text.ts';
import type { Client } from '../calls/client.ts';
import { CommandError } from '../terminal/command.ts';
import { printable } from '../terminal/output.ts';
import type { Step } from './plan.ts';
import { countText } from './plan-text.ts';
import type { SecretFiles } from './secret-files.ts';

/** What became of a plan. */
export interface Outcome {
  readonly done: readonly Step[];
  /** From when on all that was taken away is so everywhere; null where nothing was. */
  readonly settled: Settled | null;
}

const answer = z.object({
  data: z.looseObject({
    key: z.string().nullish(),
    effective_at: z.string().nullish(),
    unconfirmed_replicas: z.array(z.string()).nullish(),
  }),
});

/**
 * Changes what the plan says, a step after the other. Throws the {@link CommandError} of the first that fails, with
 * what was done before it: run again, the same documents go on there.
 */
export async function carryOut(
  client: Client,
  steps: readonly Step[],
  secrets: SecretFiles | null,
): Promise<Outcome> {
  const done: Step[] = [];
  const replicas = new Set<string>();
  let at = '';
  for (const step of steps) {
    try {
      const { data } = await client.call(answer, ...callOf(step));
      done.push(step);
      if (data.effective_at != null && data.effective_at > at) at = data.effective_at;
      for (const replica of data.unconfirmed_replicas ?? []) replicas.add(replica);
      if (step.kind === 'Key' && step.act === 'make' && data.key != null) secrets?.write(step.id, data.key);
    } catch (error) {
      throw error instanceof CommandError ? stopped(error, step, done) : error;
    }
  }
  return { done, settled: at === '' ? null : { effective_at: at, unconfirmed_replicas: [...replicas] } };
}

function callOf(step: Step): [method: string, path: string, body?: unknown] {
  if (step.act === 'revoke') return ['DELETE', `/admin/api-keys/${step.key.id}`];
  return [step.method, step.path, step.body];
}

function stopped(
  { exitCode, lines, ...error }: CommandError,
  step: Step,
  done: readonly Step[],
): CommandError {
  const { isPassing, reason } = error;
  const [what = '', ...rest] = lines;
  const before = countText(done) || 'nothing';
  const advice = `Done before it: ${before}. Applied again, the same documents go on from there.`;
  return new CommandError(exitCode, [`${printable(`${step.kind} ${step.id}`)}: ${what}`, ...rest, advice], {
    isPassing,
    reason,
  });
}
