/** What a request is for; the path without its query. */
export interface RequestTarget {
  readonly method: string;
  readonly host: string;
  readonly path: string;
}

/** As much of a request as these look at. */
interface Targeted extends RequestTarget {
  isTo?(target: RequestTarget): boolean;
  mark?(): number;
}

/** Whether a request is for that. False, too, where it is and is not worth finding out. */
export function isSameTarget(request: Targeted, target: RequestTarget): boolean {
  if (request.isTo !== undefined) return request.isTo(target);
  const { path } = request;
  if (!path.startsWith(target.path)) return false;
  const { length } = target.path;
  return (
    (path.length === length || isPathEnd(path.charCodeAt(length))) &&
    request.method === target.method &&
    request.host === target.host
  );
}

/** A number that is the same for the same path without its query, and differs for most others. */
export function targetMark(request: Targeted): number {
  if (request.mark !== undefined) return request.mark();
  const { path } = request;
  let mark = markStart;
  for (let at = 0; at < path.length && at < markedMax; at++) {
    const code = path.charCodeAt(at);
    if (isPathEnd(code)) break;
    mark = markNext(mark, code);
  }
  return mark;
}

/** How marks are made: of at most so many characters. */
export const markedMax = 128;
export const markStart = 5381;
export const markNext = (mark: number, code: number) => (Math.imul(mark, 33) ^ code) | 0;

/** `?` and `#`. */
export function isPathEnd(code: number): boolean {
  return code === 0x3f || code === 0x23;
}
