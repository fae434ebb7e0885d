import type { FastifyInstance } from 'fastify';
import type { Admin } from '../../admin/admin.ts';
import type { GithubLeaks } from '../../admin/leaks/github-leaks.ts';
import { settlementJson } from '../../changes/settlement-json.ts';
import { callerOf } from '../caller.ts';
import { bodyInput, bodyOf, operate } from '../input.ts';

/** Where leaked keys are reported: by whoever may change keys, and by GitHub, whose signature is its credential. */
export function addLeakRoutes(
  app: FastifyInstance,
  { admin, githubLeaks }: { readonly admin: Admin; readonly githubLeaks?: GithubLeaks | undefined },
): void {
  app.post('/admin/leaked-keys', async (request) => {
    const answer = await operate(bodyInput(request), (value) =>
      admin.reportLeakedKeys(callerOf(request.raw), value),
    );
    return { data: { received: answer.received, ...settlementJson(answer) } };
  });
  if (githubLeaks === undefined) return;
  app.post('/leaks/github', async (request) => {
    const { address, requestId = null } = callerOf(request.raw);
    const { received } = await githubLeaks.receive({
      body: bodyOf(request),
      keyId: textOf(request.headers['github-public-key-identifier']),
      signature: textOf(request.headers['github-public-key-signature']),
      ...{ address, requestId },
    });
    return { data: { received } };
  });
}

function textOf(header: string | string[] | undefined): string | null {
  return typeof header === 'string' && header !== '' ? header : null;
}
