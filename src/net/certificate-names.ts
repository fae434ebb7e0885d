/**
 * The names in a certificate's `subjectAltName`, each with its kind in front, as Node writes it: `DNS:api.example.com`,
 * `URI:spiffe://cluster.local/ns/api/sa/deploy`. A name that Node had to quote, since it holds a comma or a quote that
 * could pass for the end of it, is left out: nobody is allowed by such a name.
 */
export function certificateNames(subjectAltName: string | undefined): string[] {
  if (subjectAltName === undefined || subjectAltName.includes('"')) return [];
  return subjectAltName.split(', ').filter((name) => /^(?:DNS|URI|email):[\x21-\x7e]+$/.test(name));
}

/** Whom a certificate names, as Envoy has it: its first URI, else its first DNS name; empty for nobody. */
export function principalOf(names: readonly string[]): string {
  const first =
    names.find((name) => name.startsWith('URI:')) ?? names.find((name) => name.startsWith('DNS:'));
  return first?.slice('URI:'.length) ?? '';
}
