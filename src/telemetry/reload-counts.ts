import { Counter, Gauge, type Registry } from 'prom-client';

/** Starts as if all had been read well just now, which is how a service starts. */
export function createReloadCounts(
  registers: Registry[],
): (what: 'settings' | 'tls', isSuccess: boolean) => void {
  const labelNames = ['what'];
  const reloads = new Counter({
    name: 'postern_config_reloads_total',
    help: "Settings, or a listener's TLS, that were read again while the service ran: success or failure.",
    labelNames: [...labelNames, 'result'],
    registers,
  });
  const isSuccessful = new Gauge({
    name: 'postern_config_last_reload_successful',
    help: '1 when what was read last holds; 0 when it was wrong and older settings, or TLS, hold on.',
    ...{ labelNames, registers },
  });
  const succeededAt = new Gauge({
    name: 'postern_config_last_reload_success_timestamp_seconds',
    help: 'When settings, or TLS, were last read that hold, Unix time.',
    ...{ labelNames, registers },
  });
  const note = (what: 'settings' | 'tls', isSuccess: boolean) => {
    isSuccessful.set({ what }, isSuccess ? 1 : 0);
    if (isSuccess) succeededAt.setToCurrentTime({ what });
  };
  for (const what of ['settings', 'tls'] as const) {
    for (const result of ['success', 'failure']) reloads.inc({ what, result }, 0);
    note(what, true);
  }
  return (what, isSuccess) => {
    reloads.inc({ what, result: isSuccess ? 'success' : 'failure' });
    note(what, isSuccess);
  };
}
