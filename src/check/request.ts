import type { Misconfigured } from './context.ts';
import type { RequestTarget } from './request-target.ts';
import type { ReservedHeaders } from './reserved-headers.ts';

/**
 * What a Check asks about, apart from the wire it came by. A wire reads lazily if it likes: the decision
 * asks only for what it needs.
 */
export interface AccessRequest {
  readonly method: string;
  /** As the client sent it: `host` or `:authority`. */
  readonly host: string;
  /** With its query. */
  readonly path: string;
  /** The peer that Envoy trusts, an IP address; empty when it is not known; null when it is not to be judged. */
  readonly address: string | null;
  /** Whether it came in clear text, as far as Envoy knows; not known in a dry run. */
  readonly isCleartext?: boolean;
  /** Whom the caller's certificate names, as Envoy has it: empty for nobody. Absent when it is not to be judged. */
  readonly principal?: string;
  /** Why the wire cannot tell what the route says of itself. */
  readonly misconfigured?: Misconfigured;
  /** What the route says in Envoy's `context_extensions`. */
  readonly context: ReadonlyMap<string, string>;
  /** Every value of one header, in order; the name in lower case. */
  header(name: string): readonly string[];
  /** Whether it is for that, where a wire can tell it without making texts of its bytes. */
  isTo?(target: RequestTarget): boolean;
  /** A number that is the same for the same path without its query, and differs for most others. */
  mark?(): number;
  /** The names of the headers, each once and in lower case, that an upstream could take for one of these. */
  reservedHeaders(reserved: ReservedHeaders): readonly string[];
}
