import { z } from 'zod';
import type { Mode } from '../schemes/scheme.ts';

/** Whether what is decided holds or is only observed. */
export const mode = z.enum(['enforce', 'observe'], { error: 'expected enforce or observe' });

/** What is settled for all requests, apart from any scheme. */
export interface TrafficConfig {
  /** Where neither route, rule nor scheme names one. */
  readonly mode: Mode;
}
