import type { Api, Method } from './api.ts';
import { type Fault, faultsIn, Refusal } from './refusal.ts';

/** What a form itself finds wrong with what it was sent, before the API is asked. */
export interface Findings {
  readonly faults: Fault[];
  /** What is read; where that is refused for its fields, `otherwise`. */
  read<T>(read: () => T, otherwise: T): T;
}

export function createFindings(): Findings {
  const faults: Fault[] = [];
  return {
    faults,
    read(read, otherwise) {
      try {
        return read();
      } catch (error) {
        faults.push(...faultsIn(error));
        return otherwise;
      }
    },
  };
}

/** No field has it, so that the API takes nothing that comes with it. */
const refusedField = '(form)';

/**
 * Calls the API. Where the form itself found faults nothing is changed: the API is asked for what it finds in the rest,
 * and a {@link Refusal} is thrown with all of them, in the order of the fields.
 */
export async function send<T>(
  api: Api,
  call: { readonly method: Method; readonly path: string; readonly body: object },
  { faults: own }: Findings,
  fields: readonly string[],
): Promise<T> {
  const { method, path, body } = call;
  const others: Fault[] = [];
  try {
    if (own.length === 0) return await api.call<T>(method, path, body);
    await api.call(method, path, { ...body, [refusedField]: true });
  } catch (error) {
    others.push(...faultsIn(error));
  }
  const known = others.filter(
    ({ field }) => field !== refusedField && !own.some((one) => one.field === field),
  );
  const at = ({ field }: Fault) => fields.indexOf(field.split('.')[0] ?? '');
  const all = [...own, ...known].toSorted((one, other) => at(one) - at(other));
  throw new Refusal(400, 'INVALID_FIELD', 'Fields are at fault.', all);
}
