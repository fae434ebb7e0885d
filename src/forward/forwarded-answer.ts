import { type Decision, deny } from '../check/authorize.ts';
import { denialBody, denialHeaders } from '../check/denial.ts';
import { rateHeaders } from '../check/rate-headers.ts';
import type { AccessRequest } from '../check/request.ts';
import { readName } from '../check/reserved-headers.ts';
import { type HeaderPair, identityOf, type Upstream } from '../check/upstream.ts';
import type { Scheme } from '../schemes/scheme.ts';
import { type ForwardedCall, valuesOf } from './forwarded-call.ts';

/** What the proxy is answered, as data alone. */
export interface ForwardedAnswer {
  readonly status: number;
  readonly headers: readonly HeaderPair[];
  readonly body: string;
}

/** The request that a proxy asks about, as a Check reads it. */
export function accessRequestOf(call: ForwardedCall): AccessRequest {
  const { method, host, path, isCleartext, address, rawHeaders, misconfigured } = call;
  return {
    ...{ method, host, path, isCleartext, address, principal: '' },
    context: new Map(call.context),
    ...(misconfigured !== null && { misconfigured: { member: 'unknown', problem: misconfigured } }),
    header: (name) => valuesOf(rawHeaders, name),
    reservedHeaders({ prefixes, names }) {
      const sent = rawHeaders.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase());
      return [...new Set(sent)].filter((name) => {
        const read = readName(name);
        return names.includes(read) || prefixes.some((prefix) => read.startsWith(prefix));
      });
    },
  };
}

/** A call that says twice what was asked for is denied as malformed, whatever its route says. */
export function denyAmbiguous(call: ForwardedCall, fallback: Scheme): Decision | null {
  return call.isAmbiguous ? deny('malformed', fallback, null) : null;
}

/**
 * 200 with the headers for the upstream, which the proxy copies, or the denial in the words of its scheme. What is to
 * be removed of the request only Envoy is told; otherwise that is the proxy's part.
 */
export function forwardedAnswer(
  decision: Decision,
  request: AccessRequest,
  upstream: Upstream,
): ForwardedAnswer {
  if (decision.verdict === 'deny') {
    const { status } = decision.scheme.answers[decision.reason];
    return { status, headers: denialHeaders(decision), body: denialBody(decision) };
  }
  const judged = decision.verdict === 'observe' ? decision.would : decision;
  const sent = request.reservedHeaders(upstream.reserved);
  if (judged.verdict !== 'allow') return { status: 200, headers: removing(sent), body: '' };
  const token = upstream.tokenFor(judged);
  const told = [
    ...(upstream.identityHeaders ? identityOf(judged) : []),
    ...upstream.headersFor(judged),
    ...(token === null ? [] : [[token[0], token[1]] as const]),
  ];
  const names = told.map(([name]) => name);
  const withheld = decision.verdict === 'allow' ? decision.withheld.headers : [];
  const headers = [
    ...told,
    ...removing([...sent.filter((name) => !names.includes(name)), ...withheld]),
    ...(decision.verdict === 'allow' && decision.rate !== null
      ? rateHeaders(decision.rate, decision.scheme)
      : []),
  ];
  return { status: 200, headers: headers.map(([name, value]) => [name, asBytes(value)]), body: '' };
}

/** What Envoy's HTTP ext_authz removes of the request; no other proxy reads it. */
function removing(names: readonly string[]): HeaderPair[] {
  return names.length === 0 ? [] : [['x-envoy-auth-headers-to-remove', names.join(',')]];
}

/** As UTF-8, in which Node writes no header by itself. */
function asBytes(value: string): string {
  return /^[\x20-\x7e]*$/.test(value) ? value : Buffer.from(value).toString('latin1');
}
