import { suggestion } from '../../settings/nearest-name.ts';
import { whyUnreadable } from './config-file.ts';
import { otelHeaders, readOtelEnvironment } from './otel-environment.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** What the environment says, and what is wrong with it, a line each. */
export interface FromEnvironment {
  /** Path in the settings file → its value and the variable that it came from. */
  readonly settings: ReadonlyMap<string, { readonly value: unknown; readonly name: string }>;
  /** The settings file, from POSTERN_CONFIG. */
  readonly config: string | undefined;
  readonly secrets: {
    readonly adminKey: string | undefined;
    readonly peppers: string | undefined;
    readonly checksumKeys: string | undefined;
    readonly sessionSecret: string | undefined;
    readonly oidcClientSecret: string | undefined;
    readonly webhookSecret: string | undefined;
    readonly identityKeys: string | undefined;
    readonly traceHeaders: string | undefined;
  };
  /** The variables of the secrets that are set. */
  readonly secretsSet: readonly string[];
  readonly problems: readonly string[];
}

/** Environment variable → path in the file. Each has a `_FILE` form, since a store's address may hold a password. */
const variables: Readonly<Record<string, string>> = {
  POSTERN_CHECK_LISTEN: 'check.listen',
  POSTERN_ADMIN_LISTEN: 'admin.listen',
  POSTERN_HTTP_LISTEN: 'http.listen',
  POSTERN_HTTP_CHECK_LISTEN: 'http_check.listen',
  POSTERN_STORE: 'store',
  POSTERN_PROCESSES: 'processes',
  POSTERN_ENVIRONMENT: 'environment',
  POSTERN_LOG_LEVEL: 'log.level',
  POSTERN_REPLICA_ID: 'replica_id',
};

/** Those that are no part of the tree: the file, what is secret, and what the other commands read. */
const otherVariables = [
  'POSTERN_CONFIG',
  'POSTERN_ADMIN_KEY',
  'POSTERN_PEPPERS',
  'POSTERN_CHECKSUM_KEYS',
  'POSTERN_CONSOLE_SESSION_SECRET',
  'POSTERN_OIDC_CLIENT_SECRET',
  'POSTERN_WEBHOOK_SECRET',
  'POSTERN_IDENTITY_KEYS',
  'POSTERN_ADDRESS',
  'POSTERN_OWNER',
];

/** What Kubernetes puts into every container beside a service named postern, what tests read, and what bin/postern.js tells itself. */
const foreignVariable =
  /^POSTERN(_[A-Z0-9_]+)?_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[A-Z0-9_]+)?)$|^POSTERN_TEST_|^POSTERN_HANDED_OVER$/;

/** Reads every variable, and the files that `_FILE` forms name, by `readFile`. An empty one counts as not set. */
export function readEnvironment(
  environment: Environment,
  readFile: (path: string) => string,
): FromEnvironment {
  const problems = unknownVariables(environment);
  const read = (name: string) => {
    const text = environment[name];
    const path = environment[`${name}_FILE`];
    if (text && path) problems.push(`${name} and ${name}_FILE are both set; set one of them`);
    else if (text) return { text, name };
    else if (path) {
      try {
        return { text: readFile(path).trim(), name: `${name}_FILE` };
      } catch (error) {
        problems.push(`${name}_FILE: ${path} cannot be read: ${whyUnreadable(error)}`);
      }
    }
    return undefined;
  };
  const entries = Object.entries(variables).flatMap(([name, setting]) => {
    const value = read(name);
    return value === undefined ? [] : [[setting, { value: value.text, name: value.name }] as const];
  });
  const otel = readOtelEnvironment(environment);
  const secrets = {
    adminKey: read('POSTERN_ADMIN_KEY'),
    peppers: read('POSTERN_PEPPERS'),
    checksumKeys: read('POSTERN_CHECKSUM_KEYS'),
    sessionSecret: read('POSTERN_CONSOLE_SESSION_SECRET'),
    oidcClientSecret: read('POSTERN_OIDC_CLIENT_SECRET'),
    webhookSecret: read('POSTERN_WEBHOOK_SECRET'),
    identityKeys: read('POSTERN_IDENTITY_KEYS'),
    traceHeaders: otelHeaders.map(read).find((headers) => headers !== undefined),
  };
  return {
    settings: new Map([...otel.settings, ...entries]),
    config: read('POSTERN_CONFIG')?.text,
    secrets: {
      adminKey: secrets.adminKey?.text,
      peppers: secrets.peppers?.text,
      checksumKeys: secrets.checksumKeys?.text,
      sessionSecret: secrets.sessionSecret?.text,
      oidcClientSecret: secrets.oidcClientSecret?.text,
      webhookSecret: secrets.webhookSecret?.text,
      identityKeys: secrets.identityKeys?.text,
      traceHeaders: secrets.traceHeaders?.text,
    },
    secretsSet: Object.values(secrets).flatMap((secret) => secret?.name ?? []),
    problems: [...problems, ...otel.problems],
  };
}

function unknownVariables(environment: Environment): string[] {
  const known = [...Object.keys(variables), ...otherVariables];
  return Object.keys(environment)
    .filter((name) => name.startsWith('POSTERN_') && !foreignVariable.test(name))
    .filter((name) => !known.includes(name.replace(/_FILE$/, '')))
    .map((name) => `${name}: there is no such setting${suggestion(name, known)}`);
}
