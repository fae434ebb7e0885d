import { z } from 'zod';
import { type Answer, compileTemplate, type Reason, reasonStatus, reasons, TemplateError } from './answer.ts';

const body = z.string().transform((text, context) => {
  try {
    return compileTemplate(text);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    context.addIssue(error.message);
    return z.NEVER;
  }
});

const headers = z.record(
  z
    .string()
    .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'expected a header name')
    .transform((name) => name.toLowerCase()),
  z.string().regex(/^[\x20-\x7e]*$/, 'expected printable ASCII'),
);

const answer = z.strictObject({
  reasons: z.array(z.enum(reasons)).min(1),
  /** The contract's for the reason unless given. */
  status: z.int().min(400).max(599).optional(),
  headers: headers.default({}),
  /** JSON with `{{name}}` in it; see `compileTemplate`. */
  body,
});

/** A scheme's answers in YAML: a list of groups of reasons, in which each reason stands once. */
export const answersSpec = z.array(answer).transform((groups, context): Readonly<Record<Reason, Answer>> => {
  const table = new Map<Reason, Answer>();
  for (const group of groups) {
    for (const reason of group.reasons) {
      if (table.has(reason)) context.addIssue(`answers ${reason} twice`);
      const status = group.status ?? reasonStatus[reason];
      table.set(reason, { status, headers: Object.entries(group.headers), body: group.body });
    }
  }
  const unanswered = reasons.filter((reason) => !table.has(reason));
  if (unanswered.length > 0) context.addIssue(`no answer for: ${unanswered.join(', ')}`);
  return Object.fromEntries(table) as Record<Reason, Answer>;
});
