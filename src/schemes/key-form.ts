/** The form of what stands between a key's prefix and its checksum. */
export type KeyForm =
  /** So many of these characters of ASCII. */
  | { readonly characters: string; readonly min: number; readonly max: number }
  /** A regular expression, which the whole matches. */
  | { readonly pattern: string };

/** Whether a text has that form. Throws where the pattern is none. */
export function acceptsForm(form: KeyForm): (body: string) => boolean {
  if ('pattern' in form) {
    const matcher = matcherOf(form.pattern);
    return (body) => matcher.test(body);
  }
  const { characters, min, max } = form;
  const accepted = new Uint8Array(128);
  for (const character of characters) accepted[character.charCodeAt(0)] = 1;
  return (body) => {
    if (body.length < min || body.length > max) return false;
    for (let at = 0; at < body.length; at++) {
      if (accepted[body.charCodeAt(at)] !== 1) return false;
    }
    return true;
  };
}

/** The flag is u and not v, since that is what can be judged for backtracking. */
export function matcherOf(pattern: string): RegExp {
  return new RegExp(`^(?:${pattern})$`, 'u');
}
