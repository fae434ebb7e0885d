import { isBlockedPort } from '../net/blocked-ports.ts';
import { formatListen, isLoopback } from '../net/listen.ts';
import type { Config } from './config.ts';
import type { ConfigProblem } from './config-problem.ts';

/** What is allowed and hardly meant. */
export function configWarnings(config: Config): ConfigProblem[] {
  const served = new Set(
    config.schemes.flatMap(({ prefixes }) => prefixes.map((prefix) => prefix.environment)),
  );
  const noKeys = (environment: string) =>
    `no scheme has a prefix for "${environment}", so that no key is allowed`;
  const warnings: ConfigProblem[] = [];
  const { check, admin, http, httpCheck } = config;
  for (const [name, listener] of Object.entries({ check, admin, http, http_check: httpCheck })) {
    if (listener === null) continue;
    const { listen, tls } = listener;
    if (tls !== null || isLoopback(listen)) continue;
    const message = `${formatListen(listen)} is open to the network without TLS`;
    warnings.push({ path: [name, 'listen'], message });
  }
  if (config.mode === 'observe') {
    const message =
      'nothing is denied where route, rule and scheme say nothing else: every request is only observed';
    warnings.push({ path: ['mode'], message });
  }
  const { listen } = config.http;
  if (listen.kind === 'tcp' && isBlockedPort(listen.port)) {
    const message = `browsers and fetch connect to no port ${listen.port}, so that the console and many clients cannot be used; expected another one`;
    warnings.push({ path: ['http', 'listen'], message });
  }
  const { console } = config;
  if (console?.origin?.startsWith('https:') === true && !console.isSecure) {
    const message = 'is an https origin, and cookies go over http too: set console.behind_tls or http.tls';
    warnings.push({ path: ['console', 'origin'], message });
  }
  if (config.admin.clients.length > 0 && !config.admin.tls?.clientCa && !config.http.tls?.clientCa) {
    const message = 'neither admin.tls nor http.tls has a client_ca, so that no client shows a certificate';
    warnings.push({ path: ['admin', 'clients'], message });
  }
  if (!served.has(config.environment)) {
    warnings.push({ path: ['environment'], message: noKeys(config.environment) });
  }
  for (const [index, rule] of config.rules.entries()) {
    if (rule.isPublic && rule.permissions.length > 0) {
      const message = 'permissions go before public: this rule asks for a key';
      warnings.push({ path: ['rules', index, 'public'], message });
    }
    if (rule.environment !== undefined && !served.has(rule.environment)) {
      warnings.push({ path: ['rules', index, 'environment'], message: noKeys(rule.environment) });
    }
  }
  return warnings;
}
