import { adminWrite } from '../../keys/admin-permissions.ts';
import { type KeyId, type KeyRecord, keyState } from '../../keys/key.ts';
import { error, type Finding, info, warning } from '../../store/diagnosis/finding.ts';
import type { Store } from '../../store/store.ts';

/** Who may change everything, besides admin keys. */
export interface WaysIn {
  /** The scheme that admin keys are of. */
  readonly adminScheme: string;
  /** Whether `POSTERN_ADMIN_KEY` is set. */
  readonly fixedKey: boolean;
  /** Whether a client certificate may change everything. */
  readonly client: boolean;
  /** Whether callers can show a certificate; where none can, an admin key with principals is no way in. */
  readonly asksForCertificates: boolean;
  /** Whether somebody may change everything who signs in to the console by the OpenID provider. */
  readonly oidc: boolean;
}

const pageSize = 100;
/** Keys that are looked at. */
const keysMax = 1_000;
const expirySoonMs = 14 * 86_400_000;

/** What is wrong with who may change everything: nobody, one alone who ends soon, and what is better known. */
export async function findAccessTrouble(
  store: Pick<Store, 'listKeys'>,
  { adminScheme, fixedKey, client, oidc, asksForCertificates }: WaysIn,
  now: number,
): Promise<Finding[]> {
  const writers = (await listWriters(store, adminScheme, now)).filter(
    ({ principals }) => asksForCertificates || principals.length === 0,
  );
  const findings: Finding[] = [];
  if (fixedKey) findings.push(fixedKeyInUse);
  const [only] = writers;
  if (!fixedKey && !client) {
    if (only === undefined) findings.push(oidc ? oidcAlone : noWriter);
    else if (!oidc && writers.length === 1) findings.push(lastWriter(only, now));
  }
  const lasting = writers.filter(({ expiresAt }) => expiresAt === null).length;
  if (lasting > 0) findings.push(withoutExpiry(lasting));
  return findings;
}

const fixedKeyInUse = info(
  'admin.fixed_key',
  'POSTERN_ADMIN_KEY is set: an admin key with all rights that has no expiry and is revoked by a restart alone.',
  'Once there are admin keys for people and jobs (postern keys create --scheme postern --permission admin:write), start the service without it.',
);

const noWriter = error(
  'admin.no_writer',
  'Nobody may change everything: there is no active admin key with admin:write and without an owner. One with principals counts where a listener asks for client certificates.',
  'Start the service with POSTERN_ADMIN_KEY set, and create one with it.',
);

const oidcAlone = info(
  'admin.oidc_alone',
  'Nobody may change everything but who signs in to the console by the OpenID provider: while that is away, nobody can.',
  'postern keys create --name "Second admin" --scheme postern --permission admin:write, and keep it where it is found then.',
);

function lastWriter({ id, expiresAt }: KeyRecord, now: number): Finding {
  const code = 'admin.last_writer';
  const cure = 'postern keys create --name "Second admin" --scheme postern --permission admin:write';
  if (expiresAt === null || expiresAt - now > expirySoonMs) {
    const what = `${id} is the only admin key that may change everything; should it be lost, a start with POSTERN_ADMIN_KEY is the way back in.`;
    return info(code, what, cure);
  }
  const when = new Date(expiresAt).toISOString();
  return warning(
    code,
    `${id} is the only admin key that may change everything, and expires at ${when}.`,
    cure,
  );
}

function withoutExpiry(keys: number): Finding {
  const subject =
    keys === 1
      ? '1 admin key that may change everything has'
      : `${keys} admin keys that may change everything have`;
  const cure = 'Rotate to keys that end: postern keys rotate KEY_ID --expires-in 90d --grace 24h.';
  return info('admin.no_expiry', `${subject} no expiry.`, cure);
}

async function listWriters(
  store: Pick<Store, 'listKeys'>,
  scheme: string,
  now: number,
): Promise<KeyRecord[]> {
  const filter = { scheme, permission: adminWrite, state: 'active', now } as const;
  const writers: KeyRecord[] = [];
  let before: KeyId | null = null;
  for (let seen = 0; seen < keysMax; seen += pageSize) {
    const page: KeyRecord[] = await store.listKeys(filter, { before, size: pageSize });
    writers.push(...page.filter((key) => key.owner === null && keyState(key, now) === 'active'));
    before = page.at(-1)?.id ?? null;
    if (page.length < pageSize) break;
  }
  return writers;
}
