/**
 * Traces for OpenTelemetry: a span of each request, and of each job one for each of its stages. Nothing is loaded unless a collector is
 * named by OTEL_EXPORTER_OTLP_ENDPOINT; the other variables of its exporter hold, too.
 */
import { RgiError } from '../../errors.ts';
import { VERSION } from '../../jobs/node/program.ts';
import type { Stages } from './orders.ts';

type Attributes = Readonly<Record<string, string | number | boolean>>;

/** A span that has begun. */
export interface ActiveSpan {
  /** Of what it causes (W3C Trace Context). */
  readonly traceparent: string;
  end(name: string, attributes: Attributes, isError: boolean): void;
}

/** A job that has ended now. */
export interface TracedJob {
  readonly kind: string;
  readonly model: string;
  /** Seconds, in the order in which they passed. */
  readonly stages: Stages;
  /** Why it failed. */
  readonly problem?: string;
}

export interface Tracing {
  /** `parent` is what the caller sent as `traceparent`; what is none begins a trace of its own. */
  begin(name: string, parent: string | undefined): ActiveSpan;
  job(job: TracedJob, parent: string | undefined): void;
  /** Sends what is left to the collector. */
  close(): Promise<void>;
}

/** How long the collector may take at the end. */
const CLOSE_MS = 3000;

const PACKAGES =
  '@opentelemetry/api @opentelemetry/sdk-trace-base @opentelemetry/resources @opentelemetry/exporter-trace-otlp-http';

/** Undefined where no collector is named. Throws `usage` where one is, and the optional packages are not installed. */
export async function openTracing(service: string, env: NodeJS.ProcessEnv = process.env): Promise<Tracing | undefined> {
  const isNamed = env.OTEL_EXPORTER_OTLP_ENDPOINT || env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT;
  if (!isNamed || env.OTEL_SDK_DISABLED === 'true') return undefined;
  const [api, sdk, exporter, resources] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/sdk-trace-base'),
    import('@opentelemetry/exporter-trace-otlp-http'),
    import('@opentelemetry/resources'),
  ]).catch((error: unknown) => {
    throw new RgiError(
      'usage',
      `OTEL_EXPORTER_OTLP_ENDPOINT needs packages that are not installed: npm install ${PACKAGES}.`,
      {},
      { cause: error },
    );
  });
  const provider = new sdk.BasicTracerProvider({
    resource: resources.resourceFromAttributes({
      'service.name': env.OTEL_SERVICE_NAME || service,
      'service.version': VERSION,
    }),
    spanProcessors: [new sdk.BatchSpanProcessor(new exporter.OTLPTraceExporter())],
  });
  const tracer = provider.getTracer('rgi', VERSION);
  const under = (traceparent: string | undefined) => {
    const context = spanContextOf(traceparent);
    return context && api.isSpanContextValid(context)
      ? api.trace.setSpanContext(api.ROOT_CONTEXT, context)
      : api.ROOT_CONTEXT;
  };
  const error = { code: api.SpanStatusCode.ERROR };
  return {
    begin(name, parent) {
      const span = tracer.startSpan(name, { kind: api.SpanKind.SERVER }, under(parent));
      const { traceId, spanId, traceFlags } = span.spanContext();
      return {
        traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`,
        end(finalName, attributes, isError) {
          span.updateName(finalName).setAttributes(attributes);
          if (isError) span.setStatus(error);
          span.end();
        },
      };
    },
    job({ kind, model, stages, problem }, parent) {
      const now = Date.now();
      let at = now - 1000 * Object.values(stages).reduce((sum, one) => sum + one, 0);
      const attributes = { 'rgi.model': model };
      const span = tracer.startSpan(`rgi ${kind}`, { startTime: at, attributes }, under(parent));
      const context = api.trace.setSpan(api.ROOT_CONTEXT, span);
      for (const [stage, seconds] of Object.entries(stages)) {
        const part = tracer.startSpan(stage, { startTime: at }, context);
        at += 1000 * seconds;
        part.end(at);
      }
      if (problem !== undefined) span.setStatus({ ...error, message: problem });
      span.end(now);
    },
    async close() {
      const limit = new Promise((resolve) => setTimeout(resolve, CLOSE_MS).unref());
      await Promise.race([provider.shutdown().catch(() => undefined), limit]);
    },
  };
}

/** What a header says (W3C Trace Context, any version but ff). */
function spanContextOf(traceparent: string | undefined) {
  const [, version, traceId, spanId, flags] =
    /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/.exec(traceparent ?? '') ?? [];
  if (version === undefined || version === 'ff') return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
}
