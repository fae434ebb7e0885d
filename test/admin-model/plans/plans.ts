import type { Model } from '../model.ts';
import type { Step } from '../step.ts';
import { disablePlan, enablePlan, revokePlan, rotatePlan, updatePlan } from './change-plans.ts';
import { importPlan, leakPlan } from './import-plans.ts';
import { auditPlan, diagnosticsPlan, watchPlan } from './journal-plans.ts';
import { createPlan, getPlan, listPlan, usagePlan, verifyPlan } from './key-plans.ts';
import { getOwnerPlan, listOwnersPlan, putOwnerPlan, updateOwnerPlan } from './owner-plans.ts';
import type { Plan } from './plan.ts';
import { deleteRolePlan, getRolePlan, listRolesPlan, putRolePlan } from './role-plans.ts';

/** What a step that is a call asks for; `owner` is whom its caller's key is bound to. */
export function planOf(
  model: Model,
  step: Exclude<Step, { readonly kind: 'wait' | 'use' }>,
  owner: string | null,
): Plan {
  switch (step.kind) {
    case 'create':
      return createPlan(model, step);
    case 'get':
      return getPlan(model, step);
    case 'list':
      return listPlan(model, step);
    case 'usage':
      return usagePlan(model, step);
    case 'verify':
      return verifyPlan(model, step);
    case 'update':
      return updatePlan(model, step);
    case 'rotate':
      return rotatePlan(model, step);
    case 'revoke':
      return revokePlan(model, step);
    case 'disable':
      return disablePlan(model, step);
    case 'enable':
      return enablePlan(model, step);
    case 'import':
      return importPlan(model, step);
    case 'leak':
      return leakPlan(model, step);
    case 'putOwner':
      return putOwnerPlan(model, step);
    case 'updateOwner':
      return updateOwnerPlan(model, step);
    case 'getOwner':
      return getOwnerPlan(model, step);
    case 'listOwners':
      return listOwnersPlan(model, step);
    case 'putRole':
      return putRolePlan(model, step);
    case 'deleteRole':
      return deleteRolePlan(model, step);
    case 'getRole':
      return getRolePlan(model, step);
    case 'listRoles':
      return listRolesPlan(model, step);
    case 'audit':
      return auditPlan(model, step);
    case 'watch':
      return watchPlan(model, step, owner);
    case 'diagnostics':
      return diagnosticsPlan(model);
  }
}
