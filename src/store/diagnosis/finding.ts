/** Something that an operator should know of how Postern stands. */
export interface Finding {
  /**
   * `error`: requests may pass that should not, or good keys are refused, now or soon; `warning`: better not left so;
   * `info`: good to know, nothing is wrong.
   */
  readonly level: 'error' | 'warning' | 'info';
  /** The kind of finding, in two parts (`store.standalone`); it stays what it is. docs/doctor.md has them all. */
  readonly code: string;
  /** What it is about, where there may be several: a listener, a route, a file. Null otherwise. */
  readonly where: string | null;
  /** A sentence. */
  readonly what: string;
  /** What to do about it; empty where nothing is to be done. May have several lines. */
  readonly cure: string;
}

export function error(code: string, what: string, cure: string, where: string | null = null): Finding {
  return { level: 'error', code, where, what, cure };
}

export function warning(code: string, what: string, cure: string, where: string | null = null): Finding {
  return { level: 'warning', code, where, what, cure };
}

export function info(code: string, what: string, cure: string, where: string | null = null): Finding {
  return { level: 'info', code, where, what, cure };
}
