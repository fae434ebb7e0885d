import type { Decision } from '../check/authorize.ts';
import { deny } from '../check/authorize.ts';
import type { Judges } from '../check/judges.ts';
import type { AccessRequest } from '../check/request.ts';
import { accessRequestOf, denyAmbiguous, type ForwardedAnswer, forwardedAnswer } from './forwarded-answer.ts';
import type { ForwardedCall } from './forwarded-call.ts';

export interface JudgeDependencies {
  readonly judges: Pick<Judges, 'authorize' | 'policy'>;
  /** Told of every decision and how long it took, once each; must not throw. */
  readonly onDecision: (
    decision: Decision,
    request: AccessRequest | null,
    durationMs: number,
    span: null,
  ) => void;
  readonly onBroken: (error: unknown) => void;
}

/** Judges what proxies ask over HTTP, as a Check of Envoy is judged. Never rejects: whatever goes wrong is a denial. */
export function createForward({
  judges,
  onDecision,
  onBroken,
}: JudgeDependencies): (call: ForwardedCall) => Promise<ForwardedAnswer> {
  return async (call) => {
    const started = performance.now();
    const request = accessRequestOf(call);
    const { upstream, schemes } = judges.policy();
    let decision: Decision;
    try {
      decision = denyAmbiguous(call, schemes[0]) ?? (await judges.authorize(request));
    } catch (error) {
      onBroken(error);
      decision = deny('unavailable', schemes[0], null);
    }
    onDecision(decision, request, performance.now() - started, null);
    return forwardedAnswer(decision, request, upstream);
  };
}
