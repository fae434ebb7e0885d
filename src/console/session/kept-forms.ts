import type { Form } from '../markup/form.ts';
import { createSealing } from './sealing.ts';

/** What was filled in when a session had ended, so that it can be sent once somebody is signed in again. */
export interface KeptForm {
  /** The page of the form. */
  readonly path: string;
  readonly fields: ReadonlyMap<string, string>;
}

/** Forms are kept in the page that asks to sign in, sealed, and nowhere else. */
export interface KeptForms {
  /** Null for one that is too long. */
  keep(path: string, form: Form): string | null;
  /** Null for what was not kept here, or too long ago. */
  open(kept: string): KeptForm | null;
}

const lifeMs = 12 * 3_600_000;
/** A form that carries it has to fit into a body. */
const sealedLengthMax = 48 * 1_024;

export function createKeptForms(now: () => number, { secret }: { readonly secret: Buffer }): KeptForms {
  const sealing = createSealing(secret, {
    use: 'postern console: sealing forms',
    purpose: 'postern console form v1',
    sealedLengthMax,
  });

  return {
    keep(path, { fields }) {
      const kept = [...fields].filter(([name]) => name !== 'token');
      const sealed = sealing.seal(JSON.stringify([path, kept, now()]));
      return sealed.length > sealedLengthMax ? null : sealed;
    },
    open(kept) {
      const text = sealing.open(kept);
      if (text === null) return null;
      const [path, fields, at] = JSON.parse(text) as [string, [string, string][], number];
      return now() - at < lifeMs ? { path, fields: new Map(fields) } : null;
    },
  };
}
