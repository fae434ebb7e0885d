import { ImportedKey, Key, KeyFilter, Owner } from '../grpc/gen/postern/admin/v1/key_admin.ts';

/** A message of which whatever has a default may be left out; a time, a duration and a choice are given whole. */
export type Input<T> = T extends
  | { readonly seconds: number; readonly nanos: number }
  | { readonly $case: string }
  ? T
  : T extends readonly (infer Item)[]
    ? readonly Input<Item>[]
    : T extends Uint8Array
      ? T
      : T extends object
        ? { readonly [member in keyof T]?: Input<T[member]> | undefined }
        : T;

type Message = Readonly<Record<string, unknown>>;

const nothing = new Uint8Array();

/** What a message inside a request has where nothing is said. */
const inside: Readonly<Record<string, Message>> = {
  key: { ...Key.decode(nothing) },
  owner: { ...Owner.decode(nothing) },
  filter: { ...KeyFilter.decode(nothing) },
};

/** Of each in a list. */
const inList: Readonly<Record<string, Message>> = {
  rate_limits: { name: '', limit: 0, length: undefined, shared_by: '' },
  // Imported ones, or leaked ones, which are made of a text each.
  keys: { ...ImportedKey.decode(nothing), key: '' },
};

/** What gives a call a name of its own, so that a retry of it is none. */
export const namedCalls: ReadonlySet<string> = new Set(['createKey', 'rotateKey', 'chargeKey']);

/** The request whole: what it leaves out, or says is undefined, is as in `defaults`. */
export function wholeRequest<Request extends object>(defaults: Request, given: object): Request {
  const said: Message = { ...given };
  const mask = said.update_mask === undefined ? maskOf(said) : {};
  const base: object = defaults;
  return { ...filled({ ...base }, said), ...mask } as Request;
}

function filled(defaults: Message, given: Message): Message {
  const said = Object.entries(given).filter(([, value]) => value !== undefined);
  return {
    ...defaults,
    ...Object.fromEntries(said.map(([name, value]) => [name, wholeMember(name, value)])),
  };
}

function wholeMember(name: string, value: unknown): unknown {
  const defaults = inside[name];
  if (defaults !== undefined && isMessage(value)) return filled(defaults, value);
  const ofEach = inList[name];
  if (ofEach === undefined || !Array.isArray(value)) return value;
  return value.map((item) => (isMessage(item) ? filled(ofEach, item) : item));
}

/** An update changes what it names, unless a mask says otherwise. */
function maskOf({ key, owner }: Message): Message {
  const changed = isMessage(key) ? key : owner;
  if (!isMessage(changed)) return {};
  const names = Object.keys(changed).filter((name) => name !== 'id' && name !== 'etag');
  return { update_mask: names };
}

function isMessage(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
