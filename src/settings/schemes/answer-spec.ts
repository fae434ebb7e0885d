import { z } from 'zod';
import {
  type Answer,
  compileTemplate,
  placeholders,
  type Reason,
  reasonStatus,
  reasons,
  requiredReasons,
  TemplateError,
} from '../../schemes/answer.ts';
import type { ConfigProblem } from '../config-problem.ts';
import { nearestName, suggestion } from '../nearest-name.ts';
import { text, wholeNumber } from '../setting-forms.ts';

const body = z.string().transform((template, context) => {
  const names = [...template.matchAll(/\{\{([^{}]*)\}\}/g)].map(([, name = '']) => name.trim());
  const unknown = new Set(names.filter((name) => !placeholders.includes(name)));
  for (const name of unknown) {
    context.addIssue(`there is no placeholder {{${name}}}${suggestion(name, placeholders)}`);
  }
  if (unknown.size > 0) return z.NEVER;
  try {
    return { template, body: compileTemplate(template) };
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    context.addIssue(error.message);
    return z.NEVER;
  }
});

const headers = z.record(
  text(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'expected a header name').transform((name) => name.toLowerCase()),
  text(/^[\x20-\x7e]*$/, 'expected printable ASCII'),
);

const answer = z.strictObject({
  reasons: z.array(z.enum(reasons)).min(1).describe('The reasons that are answered so.'),
  status: wholeNumber(400, 599)
    .optional()
    .describe("The HTTP status; without it, the reason's own, see docs/configuration.md."),
  headers: headers
    .prefault({})
    .describe('Headers of the answer, beside content-type and those of the reason.'),
  body: body.describe(
    `The body, JSON. {{name}} is replaced by a value, as JSON outside of a string and escaped inside of one: ${placeholders.join(', ')}.`,
  ),
});

/** A scheme's answers in YAML: a list of groups of reasons, in which each reason stands once. */
export const answersSpec = z.array(answer).min(1);

export type AnswerGroups = z.output<typeof answersSpec>;

/** What is wrong with the groups as a whole, whatever else is wrong inside them. */
export function answerProblems(given: unknown): ConfigProblem[] {
  if (!Array.isArray(given)) return [];
  const problems: ConfigProblem[] = [];
  const answered = new Map<string, number>();
  for (const [index, group] of given.entries()) {
    const listed: unknown = group?.reasons;
    for (const [at, reason] of (Array.isArray(listed) ? listed : []).entries()) {
      const first = answered.get(reason);
      if (first === undefined) answered.set(reason, index);
      else {
        const message = `${reason} is answered twice, first by answers.${first}; expected each reason once`;
        problems.push({ path: [index, 'reasons', at], message });
      }
    }
  }
  const unknown = [...answered.keys()].filter((reason) => !reasons.includes(reason as Reason));
  const misspelt = new Set(unknown.map((reason) => nearestName(String(reason), reasons)));
  const unanswered = requiredReasons.filter((reason) => !answered.has(reason) && !misspelt.has(reason));
  if (unanswered.length === 0) return problems;
  return [
    ...problems,
    { path: [], message: `no answer for ${unanswered.join(', ')}; expected every reason` },
  ];
}

/** The answer to each reason: what the groups say, else the default's. Throws where neither has one. */
export function answerTable(
  groups: AnswerGroups,
  defaults: Partial<Readonly<Record<Reason, Answer>>>,
): Readonly<Record<Reason, Answer>> {
  const table = new Map(Object.entries(defaults) as [Reason, Answer][]);
  for (const group of groups) {
    for (const reason of group.reasons) {
      const status = group.status ?? reasonStatus[reason];
      table.set(reason, { status, headers: Object.entries(group.headers), ...group.body });
    }
  }
  const unanswered = reasons.filter((reason) => !table.has(reason));
  if (unanswered.length > 0) throw new Error(`no answer for ${unanswered.join(', ')}`);
  return Object.fromEntries(table) as Record<Reason, Answer>;
}
