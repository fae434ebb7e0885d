import type { KeyId } from './key.ts';

/** What a list of keys is searched for. The first two are found by an index, the last by looking through the keys. */
export type KeySearch =
  | {
      readonly kind: 'id';
      /** As it was asked for. */
      readonly text: string;
      readonly id: KeyId;
    }
  | {
      readonly kind: 'shown';
      readonly text: string;
      /** A key's `prefix` is one of these. At most {@link prefixesMax}. */
      readonly prefixes: readonly string[];
      /** Null for any. */
      readonly last4: string | null;
    }
  | {
      /**
       * The beginning of the key's `prefix`, its `last4` in any case, part of its name, or the beginning of a label's value,
       * alone or as `name=value`; of names and labels in any case and Unicode form.
       */
      readonly kind: 'text';
      readonly text: string;
    };

export const prefixesMax = 64;
