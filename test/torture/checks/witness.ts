import { adminKey } from '../../real/postern.ts';
import { type Asker, createAsker } from '../asker.ts';
import type { Replica } from '../fleet.ts';
import type { ChangeRecord, CheckRecord, HistoryRecord, Operation, StateRecord } from './history.ts';

/** A key that was made; the text of it is in no history. */
export interface Key {
  readonly id: string;
  readonly text: string;
  readonly owner: string | null;
  /** By which alone it holds the permission that its Checks ask for; without one they ask for none. */
  readonly role?: string;
}

export interface NewKey {
  readonly owner?: string;
  readonly role?: string;
  readonly limit?: { readonly limit: number; readonly windowMs: number };
}

/** Makes calls of a fleet's processes, and writes down every one with what came of it. */
export interface Witness {
  readonly records: readonly HistoryRecord[];
  /** Milliseconds of its one clock. */
  now(): number;
  check(replica: Replica, key: Key, deadlineMs?: number): Promise<CheckRecord>;
  /** Undefined where the key is not known to have been made: nobody can ask for it then. */
  create(replica: Replica, wanted?: NewKey): Promise<Key | undefined>;
  /** `subject` is the id of a key, an owner or a role. */
  change(replica: Replica, operation: Exclude<Operation, 'create'>, subject: string): Promise<ChangeRecord>;
  state(replica: Replica, key: Key): Promise<StateRecord | undefined>;
  /** Returns what is to be called when it is over. */
  fault(what: string): () => void;
  close(): void;
}

export interface WitnessOptions {
  readonly seed: number;
  readonly stalenessMaxMs: number;
  /** Called with each record as it is written. */
  readonly onRecord?: (record: HistoryRecord) => void;
}

const checkDeadlineMs = 10_000;
const changeDeadlineMs = 8_000;
/** What a role gives until it is narrowed. */
const byRole = 'torture:use';

interface Answered {
  readonly begin: number;
  readonly end: number;
  readonly wallOffset: number;
  /** 0 for no answer. */
  readonly status: number;
  readonly data: Readonly<Record<string, unknown>>;
}

export function createWitness(options: WitnessOptions): Witness {
  const records: HistoryRecord[] = [];
  const askers = new Map<string, { readonly pid: number; readonly asker: Asker }>();
  const now = () => performance.now();
  const offset = () => Date.now() - now();

  function note<R extends HistoryRecord>(record: R): R {
    records.push(record);
    options.onRecord?.(record);
    return record;
  }

  function askerOf(replica: Replica): Asker | null {
    const postern = replica.current();
    const known = askers.get(replica.name);
    if (postern === null || postern.pid === known?.pid) return known?.asker ?? null;
    known?.asker.close();
    const asker = createAsker(postern.check);
    askers.set(replica.name, { pid: postern.pid, asker });
    return asker;
  }

  async function call(replica: Replica, method: string, path: string, body?: unknown): Promise<Answered> {
    const begin = now();
    try {
      const response = await fetch(replica.postern().url + path, {
        method,
        headers: { authorization: `Bearer ${adminKey}` },
        signal: AbortSignal.timeout(changeDeadlineMs),
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const { data = {} } = (await response.json()) as { data?: Record<string, unknown> };
      return { begin, end: now(), wallOffset: offset(), status: response.status, data };
    } catch {
      return { begin, end: now(), wallOffset: offset(), status: 0, data: {} };
    }
  }

  function noteChange(
    replica: Replica,
    operation: Operation,
    subject: string,
    answered: Answered,
    more: Partial<ChangeRecord> = {},
  ): ChangeRecord {
    const { begin, end, wallOffset, status, data } = answered;
    const effectiveAt = data.effective_at === undefined ? null : Date.parse(String(data.effective_at));
    return note({
      ...{ type: 'change', replica: replica.name, operation, subject, begin, end, wallOffset, status },
      outcome: status >= 200 && status < 300 ? 'done' : status >= 400 && status < 500 ? 'refused' : 'unknown',
      ...(effectiveAt !== null && { effectiveAt, unconfirmed: data.unconfirmed_replicas as string[] }),
      ...more,
    });
  }

  const { seed, stalenessMaxMs } = options;
  note({ type: 'opening', seed, stalenessMaxMs, wallOffset: offset() });
  return {
    records,
    now,
    async check(replica, key, deadlineMs = checkDeadlineMs) {
      const begin = now();
      const asker = askerOf(replica);
      const permission = key.role === undefined ? null : byRole;
      const answer = await asker?.ask(key.text, permission, deadlineMs);
      const { verdict, reason } = answer ?? { verdict: 'none', reason: '' };
      const end = now();
      return note({
        type: 'check',
        replica: replica.name,
        key: key.id,
        begin,
        end,
        verdict,
        reason,
      } as const);
    },
    async create(replica, wantedKey = {}) {
      const { owner = null, role = null, limit = null } = wantedKey;
      const rateLimit = limit === null ? null : { limit: limit.limit, window: `${limit.windowMs}ms` };
      const wanted = {
        name: 'torture',
        ...(owner && { owner }),
        ...(role && { roles: [role] }),
        ...(rateLimit && { rate_limit: rateLimit }),
      };
      const answered = await call(replica, 'POST', '/admin/api-keys', wanted);
      const id = typeof answered.data.id === 'string' ? answered.data.id : '';
      noteChange(replica, 'create', id, answered, { owner, role, limit });
      if (id === '') return undefined;
      return { id, text: String(answered.data.key), owner, ...(role !== null && { role }) };
    },
    async change(replica, operation, subject) {
      const [method, path, body] = requestOf(operation, subject);
      return noteChange(replica, operation, subject, await call(replica, method, path, body));
    },
    async state(replica, key) {
      const { begin, end, status, data } = await call(replica, 'GET', `/admin/api-keys/${key.id}`);
      if (status !== 200 && status !== 404) return undefined;
      const state = status === 404 ? 'absent' : (data.state as StateRecord['state']);
      return note({ type: 'state', replica: replica.name, key: key.id, begin, end, state } as const);
    },
    fault(what) {
      const begin = now();
      return () => void note({ type: 'fault', what, begin, end: now() });
    },
    close() {
      for (const { asker } of askers.values()) asker.close();
    },
  };
}

function requestOf(operation: Exclude<Operation, 'create'>, subject: string): [string, string, unknown?] {
  const key = `/admin/api-keys/${subject}`;
  const owner = `/admin/owners/${subject}`;
  const role = `/admin/roles/${subject}`;
  switch (operation) {
    case 'revoke':
      return ['DELETE', key];
    case 'disable':
    case 'enable':
      return ['POST', `${key}/${operation}`];
    case 'suspend':
      return ['PUT', owner, { suspended: true }];
    case 'resume':
      return ['PUT', owner, { suspended: false }];
    case 'narrow':
      return ['PUT', role, { permissions: [] }];
    case 'remove':
      return ['DELETE', role];
    case 'widen':
      return ['PUT', role, { permissions: [byRole] }];
  }
}
