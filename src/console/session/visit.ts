import type { OperationName } from '../../admin/operation-permissions.ts';
import type { Terms } from '../../admin/terms-operations.ts';
import type { Api } from '../api.ts';
import type { Form } from '../markup/form.ts';
import type { Markup } from '../markup/markup.ts';
import type { Ask } from '../recollection.ts';
import type { Flash } from './flash.ts';

/** One request for a page, by somebody who may see it. */
export interface Visit {
  readonly api: Api;
  /** For what takes long where there are many keys. */
  readonly recall: Ask;
  /** Who they are, and what they may ask for. */
  readonly terms: Terms;
  /** Whether they may make keys and change them. */
  readonly canWrite: boolean;
  readonly may: (operation: OperationName) => boolean;
  /** What each form on the page carries as `token`. */
  readonly token: string;
  /** The part of the path that a page's own path names. */
  readonly id: string;
  readonly query: URLSearchParams;
  /** Empty but for a POST. */
  readonly form: Form;
  /** Unix milliseconds. */
  readonly now: number;
}

/** What is shown. */
export interface View {
  readonly title: string;
  /** Above the title, the way back. */
  readonly trail?: { readonly href: string; readonly name: string };
  /** Beside the title, how many there are of what is listed. */
  readonly total?: string;
  /** Under the title, a line about it. */
  readonly lead?: Markup;
  /** At the right of the title: the primary action of the page, of class `primary`, and others. */
  readonly actions?: Markup;
  readonly main: Markup;
  /** 200 unless it is given. */
  readonly status?: number;
  /** The path that the browser is to show, and ask for again, in place of the one that was posted to. */
  readonly shownAs?: string;
  /** Whether its title says that there is an error. By default that of a form which was not taken, 400 or 409. */
  readonly isError?: boolean;
  /** Whether the browser is to ask for the same page again, at once. */
  readonly asksAgain?: boolean;
}

/** What the script of a page asks for. */
export interface Data {
  readonly json: object;
}

/** A file that the browser keeps. */
export interface Download {
  readonly csv: string;
  readonly name: string;
}

/** Where to go instead, a path of the console. */
export interface Redirect {
  readonly redirect: string;
  /** What is said there of what was done. */
  readonly flash?: Flash;
}

/** A path of the console below `/console`, its parameter as `:id`, and what is answered there. */
export interface Page {
  readonly path: string;
  /** Whether it is but a form that changes something, and so not shown to who may only read. */
  readonly isForWriters?: boolean;
  /** Whether its form may hold a secret, which is not shown again when its session has ended. */
  readonly isFormSecret?: boolean;
  readonly get?: (visit: Visit) => Promise<View | Redirect | Data | Download>;
  readonly post?: (visit: Visit) => Promise<View | Redirect>;
}
