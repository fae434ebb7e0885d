import type { Allowed, Denied, Observed } from '../../check/authorize.ts';
import { rateHeaders } from '../../check/rate-headers.ts';
import type { AccessRequest } from '../../check/request.ts';
import type { HeaderPair, TokenHeader, Upstream } from '../../check/upstream.ts';
import { rpcStatus as code } from '../../net/rpc.ts';
import { BackwardWriter } from './backward-writer.ts';
import { createOverrideFragments } from './key-fragments.ts';
import type { KeyShapes } from './key-shapes.ts';
import { createWriteRateHeaders } from './rate-header-bytes.ts';
import { response, writeHeader, writeMember, writeStatus, writeStructMember } from './response-fields.ts';

const overrideFragment = createOverrideFragments();

/** Most keys have none. */
const noLabels = encodeNoLabels();

/** The tags of an OkHttpResponse. */
export const ok = { headers: 18, remove: 42, responseHeaders: 50, removeParameters: 66 } as const;

const writeXHeaders = createWriteRateHeaders(ok.responseHeaders);
const ietf = { rateLimitHeaders: 'ietf' } as const;

/** What is told of any key, and to the upstream. */
export interface Told {
  readonly shapes: KeyShapes;
  readonly upstream: Upstream;
}

/** What is set for the upstream. */
interface SetHeaders {
  readonly upstream: Upstream;
  readonly allowed: Allowed | null;
  /** Beside those of `allowed` that name its key. */
  readonly headers: readonly HeaderPair[];
}

/** Of a route that asks for no key. */
export function allowAnyone(writer: BackwardWriter, request: AccessRequest, upstream: Upstream): Uint8Array {
  const since = writer.length;
  removeSent(writer, request, { upstream, allowed: null, headers: [] });
  writer.message(response.ok, since);
  writeStatus(writer, code.ok, '');
  return writer.lend();
}

export function allowKey(
  writer: BackwardWriter,
  request: AccessRequest,
  allowed: Allowed,
  { shapes, upstream }: Told,
): Uint8Array {
  const headers = upstream.headersFor(allowed);
  writeKeyMetadata(writer, allowed, shapes);
  const since = writer.length;
  writeAnswerChanges(writer, allowed);
  removeSent(writer, request, { upstream, allowed, headers });
  writeWithheld(writer, allowed);
  writeTold(writer, allowed, shapes, { upstream, headers });
  writer.message(response.ok, since);
  writeStatus(writer, code.ok, '');
  return writer.lend();
}

/** What the client sent goes on as it came, but for what it must not say of itself; who would pass is named. */
export function observe(
  writer: BackwardWriter,
  request: AccessRequest,
  { would }: Observed,
  { shapes, upstream }: Told,
): Uint8Array {
  const allowed = would.verdict === 'allow' ? would : null;
  if (would.verdict === 'deny') writeObservedDenial(writer, would);
  else writeKeyMetadata(writer, would, shapes, true);
  const headers = allowed === null ? [] : upstream.headersFor(allowed);
  const since = writer.length;
  removeSent(writer, request, { upstream, allowed, headers });
  if (allowed !== null) writeTold(writer, allowed, shapes, { upstream, headers });
  writer.message(response.ok, since);
  writeStatus(writer, code.ok, '');
  return writer.lend();
}

function writeObservedDenial(writer: BackwardWriter, denied: Denied): void {
  const { reason, scheme, key, misconfigured, rate } = denied;
  const since = writer.length;
  if (rate !== null) writeMember(writer, 'limit', rate.name);
  if (misconfigured !== undefined) writeMember(writer, 'misconfigured', misconfigured.problem);
  if (key !== null) writeMember(writer, 'owner', key.owner);
  if (key !== null) writeMember(writer, 'key_id', key.id);
  writeMember(writer, 'status', scheme.answers[reason].status);
  writeMember(writer, 'reason', reason);
  writeMember(writer, 'observed', true);
  writer.message(response.metadata, since);
}

/** What the upstream is not to see of the credential. */
function writeWithheld(writer: BackwardWriter, { withheld }: Allowed): void {
  for (const name of withheld.headers) writer.text(ok.remove, name);
  for (const { name, value } of withheld.changed) writeHeader(writer, ok.headers, name, value);
}

/** What the upstream is told of a key. */
function writeTold(
  writer: BackwardWriter,
  allowed: Allowed,
  shapes: KeyShapes,
  { upstream, headers }: Pick<SetHeaders, 'upstream' | 'headers'>,
): void {
  if (upstream.identityHeaders) shapes.writeHeaders(writer, allowed);
  writeToken(writer, upstream.tokenFor(allowed));
  for (const [name, value] of headers) writeHeader(writer, ok.headers, name, value);
}

/** To copy a token as it is written takes a tenth of the time that it takes to write it. */
function writeToken(writer: BackwardWriter, token: TokenHeader | null): void {
  if (token === null) return;
  if (token[2] === null) {
    const apart = new BackwardWriter();
    writeHeader(apart, ok.headers, token[0], token[1]);
    token[2] = apart.take();
  }
  writer.encoded(token[2]);
}

/** What the client must not have said of itself. Envoy removes after it has set: a name in both would be lost. */
function removeSent(writer: BackwardWriter, request: AccessRequest, set: SetHeaders): void {
  const sent = request.reservedHeaders(set.upstream.reserved);
  for (let at = sent.length - 1; at >= 0; at--) {
    const name = sent[at] as string;
    if (!isSet(set, name)) writer.text(ok.remove, name);
  }
}

/** Whether a header of ours takes that name. */
function isSet({ upstream, allowed, headers }: SetHeaders, name: string): boolean {
  if (allowed === null) return false;
  if (headers.some(([set]) => set === name)) return true;
  if (upstream.tokenFor(allowed)?.[0] === name) return true;
  if (!upstream.identityHeaders) return false;
  const { key, permissions } = allowed;
  if (name === 'x-postern-owner') return key.owner !== null;
  if (name === 'x-postern-permissions') return permissions.length > 0;
  return name === 'x-postern-key-id' || name === 'x-postern-scheme' || name === 'x-postern-environment';
}

/** For the caller, and what Envoy can only take out of a path by name. */
function writeAnswerChanges(writer: BackwardWriter, { withheld, rate, scheme }: Allowed): void {
  for (const name of withheld.parameters) writer.text(ok.removeParameters, name);
  if (rate === null) return;
  const { rateLimitHeaders: form } = scheme;
  if (form === 'ietf' || form === 'both') {
    for (const [name, text] of rateHeaders(rate, ietf).toReversed())
      writeHeader(writer, ok.responseHeaders, name, text);
  }
  if (form === 'x' || form === 'both') writeXHeaders(writer, rate);
}

function writeKeyMetadata(
  writer: BackwardWriter,
  allowed: Allowed,
  shapes: KeyShapes,
  isObserved = false,
): void {
  const { key, rate } = allowed;
  const since = writer.length;
  if (rate !== null) writer.encoded(overrideFragment(rate.limits));
  if (isObserved) writeMember(writer, 'observed', true);
  if (hasAny(key.labels)) writeStructMember(writer, 'labels', key.labels);
  else writer.encoded(noLabels);
  shapes.writeMembers(writer, allowed);
  writer.message(response.metadata, since);
}

function hasAny(members: Readonly<Record<string, string>>): boolean {
  for (const _ in members) return true;
  return false;
}

function encodeNoLabels(): Uint8Array {
  const writer = new BackwardWriter();
  writeStructMember(writer, 'labels', {});
  return writer.take();
}
