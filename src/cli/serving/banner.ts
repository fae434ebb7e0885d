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
  if (check.kind === 'tcp') {
    lines.push(
      'Put it in front of your API:',
      '',
      `  postern init envoy${checkFlag(check)} --output envoy.yaml`,
      '',
    );
  }
  return `${lines.join('\n')}\n`;
}

/** What \`init\` has to be told where Checks are not answered at the usual address. */
function checkFlag({ host, port }: Listen & { readonly kind: 'tcp' }): string {
  const reached = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  const address = formatListen({ kind: 'tcp', host: reached, port });
  return address === '127.0.0.1:50051' ? '' : ` --check ${address}`;
}
