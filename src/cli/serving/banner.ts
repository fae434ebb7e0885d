import { formatListen, type Listen } from '../../net/listen.ts';
import { version } from '../../version.ts';

/** What is said once the service is ready. */
export interface Banner {
  readonly check: Listen;
  readonly admin: Listen;
  readonly http: Listen;
  readonly store: string;
  /** Whether the HTTP listener speaks TLS. */
  readonly isSecure: boolean;
  readonly hasConsole: boolean;
  /** The admin key of a new store, shown here and nowhere else. */
  readonly firstKey: string | null;
}

export function renderBanner({ check, admin, http, ...banner }: Banner): string {
  const { store, isSecure, hasConsole, firstKey } = banner;
  const url = `${isSecure ? 'https' : 'http'}://${http.kind === 'unix' ? 'localhost' : formatListen(http)}`;
  const socket = http.kind === 'unix' ? ` --unix-socket ${http.path}` : '';
  const key = firstKey ?? '$POSTERN_ADMIN_KEY';
  const lines = [
    `Postern ${version} is ready.`,
    '',
    `  Check    ${formatListen(check)}    Envoy's external authorization, gRPC`,
    `  Admin    ${formatListen(admin)}    KeyAdmin, gRPC`,
    `  HTTP     ${url}    REST, health, metrics`,
    ...(hasConsole && http.kind !== 'unix' ? [`  Console  ${url}/console`] : []),
    `  Store    ${store}`,
    '',
  ];
  if (firstKey !== null) {
    lines.push(
      'This is your admin key. It is shown this once and kept only as a digest: copy it now.',
      '',
      `  ${firstKey}`,
      '',
    );
  }
  lines.push(
    'Make an API key:',
    '',
    `  curl -sS${socket} ${url}/admin/api-keys -H "Authorization: Bearer ${key}" -d '{"name":"My first key"}'`,
    '',
  );
  return `${lines.join('\n')}\n`;
}
