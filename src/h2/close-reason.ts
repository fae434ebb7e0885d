import type { CloseReason } from '../telemetry/connection-counts.ts';
import { errorCode } from './frame.ts';

/** What a connection that ends with this code is counted as. */
export function reasonOf(code: number): CloseReason {
  if (code === errorCode.enhanceYourCalm) return 'flood';
  return code === errorCode.internal ? 'broken' : 'protocol';
}
