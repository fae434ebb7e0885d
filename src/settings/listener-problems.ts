import { formatListen, type Listen } from '../net/listen.ts';
import type { ConfigProblem } from './config-problem.ts';
import type { Settings } from './settings-schema.ts';

const listeners = ['check', 'admin', 'http', 'http_check'] as const;
const anyHost = new Set(['0.0.0.0', '::']);

/** Listeners that would take each other's address. */
export function listenerProblems(settings: Settings | undefined): ConfigProblem[] {
  if (settings === undefined) return [];
  return listeners.flatMap((name, index) => {
    const { listen } = settings[name];
    if (listen === undefined) return [];
    const taken = listeners.slice(0, index).find((earlier) => {
      const other = settings[earlier].listen;
      return other !== undefined && overlap(other, listen);
    });
    if (taken === undefined) return [];
    const message = `${formatListen(listen)} is where ${taken}.listen listens; expected an address for each listener`;
    return [{ path: [name, 'listen'], message }];
  });
}

/** Port 0 takes a free one. */
function overlap(one: Listen, other: Listen): boolean {
  if (one.kind === 'unix' || other.kind === 'unix') return formatListen(one) === formatListen(other);
  if (one.port !== other.port || one.port === 0) return false;
  return one.host === other.host || anyHost.has(one.host) || anyHost.has(other.host);
}
