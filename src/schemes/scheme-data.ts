import { type Answer, compileTemplate, type Reason } from './answer.ts';
import { crc32Checksum, createHmacChecksum } from './checksum.ts';
import { acceptsForm } from './key-form.ts';
import type { Checksum, Scheme } from './scheme.ts';

/** A scheme as data alone, for another thread or process, which makes the same scheme of it. */
export interface SchemeData extends Omit<Scheme, 'accepts' | 'checksum' | 'answers'> {
  readonly checksum: Pick<Checksum, 'keys'> | null;
  readonly answers: Readonly<Record<Reason, Omit<Answer, 'body'>>>;
}

export function dataOf({ accepts: _, checksum, answers, ...scheme }: Scheme): SchemeData {
  return {
    ...scheme,
    checksum: checksum === null ? null : { keys: checksum.keys },
    answers: eachAnswer(answers, ({ body: _, ...answer }) => answer),
  };
}

export function schemeOf({ checksum, answers, ...scheme }: SchemeData): Scheme {
  return {
    ...scheme,
    accepts: acceptsForm(scheme.form),
    checksum:
      checksum === null ? null : checksum.keys === null ? crc32Checksum : createHmacChecksum(checksum.keys),
    answers: eachAnswer(answers, (answer) => ({ ...answer, body: compileTemplate(answer.template) })),
  };
}

function eachAnswer<From, To>(
  answers: Readonly<Record<Reason, From>>,
  map: (answer: From) => To,
): Readonly<Record<Reason, To>> {
  const mapped = Object.entries<From>(answers).map(([reason, answer]) => [reason, map(answer)]);
  return Object.fromEntries(mapped) as Record<Reason, To>;
}
