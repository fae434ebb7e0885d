import { WireFields } from './wire-fields.ts';

/** The tags of messages and bytes: attributes, request, http, body and raw_body. */
const attributes = 10;
const request = 34;
const http = 18;
const [body, rawBody] = [90, 98];

/**
 * How many bytes of a CheckRequest are the body that Envoy sends along by `with_request_body`, which no decision
 * looks at. Steps over all else by its length. Throws when the bytes are no CheckRequest.
 */
export function bodyBytes(bytes: Uint8Array): number {
  const fields = new WireFields(bytes);
  let count = 0;
  within([attributes, request, http], bytes.length);
  return count;

  function within([tag, ...deeper]: readonly number[], end: number): void {
    while (fields.at < end) {
      const found = fields.next(end);
      if (tag === undefined && (found === body || found === rawBody)) count += fields.to - fields.from;
      if (found !== tag) continue;
      const { to } = fields;
      fields.at = fields.from;
      within(deeper, to);
    }
  }
}
