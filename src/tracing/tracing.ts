/**
 * Room `tracing/`: Spans, over the API of OpenTelemetry alone. Here: trace contexts, samplers, attributes. Not
 * here: the SDK (`otel/`), and which Checks and calls have spans (`telemetry/`).
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type AttributeValue,
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { attribute, type SpanForm } from './tracing-attributes.ts';
import {
  isInRatio,
  isSampledBy,
  parentOf,
  type Sampling,
  type TraceHeaders,
  traceIdOf,
} from './tracing-context.ts';

/** Spans of what is served and of what that waits for. Where nothing is traced there is none of it. */
export interface Tracing {
  /**
   * The span of a call that begins, in its caller's trace, or in a new one where the caller names none: `caller` then
   * is null, see `named`. Null where the trace is not recorded, and then nothing was made.
   */
  serve(form: SpanForm, caller: TraceHeaders | null): CallSpan | null;
  /** The span of the call on whose behalf this runs, unless it has ended. */
  current(): CallSpan | null;
  /** The same call; what it takes is a part of the span of the call that it is made for. */
  timed<A extends unknown[], R>(form: SpanForm, call: (...args: A) => Promise<R>): (...args: A) => Promise<R>;
}

/** The span of a call that is served, until its end. */
export interface CallSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Does the work on behalf of the call, whatever it goes on to do later included. */
  within<T>(work: () => T): T;
  set(name: string, value: AttributeValue): void;
  /** Sets what has not been set by this yet. */
  setFirst(name: string, value: AttributeValue): void;
  /** Says that what was asked for is broken or away; nothing else is an error. */
  fail(errorType: string): void;
  end(): void;
}

export interface TracingDependencies {
  /** Records every span that it is asked for. */
  readonly tracer: Tracer;
  readonly sampling: Sampling;
  /** 0 up to 1, without 1. */
  readonly random: () => number;
}

/** Spans of one call beside its own; those past it are left out, as of an import that writes for minutes. */
const partsMax = 100;

export function createTracing({ tracer, sampling, random }: TracingDependencies): Tracing {
  const served = new AsyncLocalStorage<ServedCall>();

  return {
    serve(form, caller) {
      if (caller === null) return random() < sampling.ratio ? begin(form, null) : null;
      return isRecorded(caller.traceparent) ? begin(form, caller) : null;
    },
    current,
    timed:
      (form, call) =>
      async (...args) => {
        const span = current()?.part(form);
        if (span === undefined) return call(...args);
        try {
          return await call(...args);
        } catch (error) {
          failed(span, errorTypeOf(error));
          throw error;
        } finally {
          span.end();
        }
      },
  };

  function current(): ServedCall | null {
    const call = served.getStore();
    return call === undefined || call.hasEnded ? null : call;
  }

  function isRecorded(traceparent: string): boolean {
    if (sampling.isParentBased) return isSampledBy(traceparent);
    return isInRatio(traceIdOf(traceparent), sampling.ratio);
  }

  function begin({ name, kind, attributes }: SpanForm, parent: TraceHeaders | null): ServedCall {
    const context = parent === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parentOf(parent));
    return new ServedCall(tracer, tracer.startSpan(name, { kind, attributes }, context), served);
  }
}

class ServedCall implements CallSpan {
  hasEnded = false;
  readonly #tracer: Tracer;
  readonly #span: Span;
  readonly #served: AsyncLocalStorage<ServedCall>;
  #context: Context | null = null;
  #parts = 0;
  readonly #first = new Set<string>();

  constructor(tracer: Tracer, span: Span, served: AsyncLocalStorage<ServedCall>) {
    this.#tracer = tracer;
    this.#span = span;
    this.#served = served;
  }

  get traceId(): string {
    return this.#span.spanContext().traceId;
  }

  get spanId(): string {
    return this.#span.spanContext().spanId;
  }

  within<T>(work: () => T): T {
    return this.#served.run(this, work);
  }

  set(name: string, value: AttributeValue): void {
    this.#span.setAttribute(name, value);
  }

  setFirst(name: string, value: AttributeValue): void {
    if (this.#first.has(name)) return;
    this.#first.add(name);
    this.set(name, value);
  }

  fail(errorType: string): void {
    failed(this.#span, errorType);
  }

  end(): void {
    this.hasEnded = true;
    this.#span.end();
  }

  /** The span of a part of it; undefined where it has had too many. */
  part({ name, kind, attributes }: SpanForm): Span | undefined {
    if (this.#parts === partsMax) return undefined;
    this.#parts += 1;
    this.#context ??= trace.setSpan(ROOT_CONTEXT, this.#span);
    return this.#tracer.startSpan(name, { kind, attributes }, this.#context);
  }
}

/** The name of an error's class: its message may quote what was sent. */
export function errorTypeOf(error: unknown): string {
  return error instanceof Error ? error.constructor.name : 'Error';
}

function failed(span: Span, errorType: string): void {
  span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute(attribute.errorType, errorType);
}
