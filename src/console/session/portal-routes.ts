import type { FastifyInstance } from 'fastify';
import { openPortalView, usedPortalView } from '../pages/entrance/portal.ts';
import { type PageDependencies, refuseOthers } from '../routing.ts';

type OfToken = { Params: { token: string } };

/** Where links to portal sessions lead. They open by a button, so that what reads links ahead opens none. */
export function addPortal(app: FastifyInstance, { access, show, portal }: PageDependencies): void {
  app.get<OfToken>('/portal/:token', async (request, reply) => {
    const isGood = await portal.canOpen(request.params.token);
    return show(request, reply, isGood ? openPortalView : usedPortalView);
  });
  app.post<OfToken>('/portal/:token', async (request, reply) => {
    const opened = await portal.open(request.raw, request.params.token);
    if (opened === null) return show(request, reply, usedPortalView);
    const { id, returnUrl, expiresAt } = opened;
    access.begin(reply, { kind: 'portal', id, returnUrl, expiresAt });
    return show(request, reply, { redirect: '/console' });
  });
  refuseOthers(app, '/portal/:token', ['GET', 'POST']);
}
