const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/**
 * `name=value,name=value` with percent-encoded values: the form of W3C Baggage, in which OpenTelemetry's variables
 * have lists. Null for what is none.
 */
export function readPairs(text: string): Record<string, string> | null {
  const pairs: [string, string][] = [];
  for (const entry of text.split(',')) {
    if (entry.trim() === '') continue;
    const [, name = '', encoded = ''] = /^([^=]*)=(.*)$/s.exec(entry) ?? [];
    const value = decoded(encoded.trim());
    if (!token.test(name.trim()) || value === null) return null;
    pairs.push([name.trim(), value]);
  }
  return Object.fromEntries(pairs);
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
