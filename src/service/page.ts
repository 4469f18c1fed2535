/** The page of a service: its operations as its OpenAPI document has them, with commands to try. It needs nothing but itself. */
import { command, factList, folded } from '../pages/components.ts';
import { type Html, html } from '../pages/html.ts';
import { pageHead, pageOf } from '../pages/shell.ts';
import type { ServiceLimits } from './limits.ts';

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema?: {
    readonly type?: string;
    readonly enum?: readonly unknown[];
    readonly default?: unknown;
    readonly description?: string;
  };
}

interface Operation {
  readonly tags?: readonly string[];
  readonly summary?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, unknown>> };
  readonly responses: Readonly<
    Record<string, { readonly description: string; readonly content?: Readonly<Record<string, unknown>> }>
  >;
}

/** What the page needs of an OpenAPI document. */
export interface ApiDocument {
  readonly info: { readonly title: string; readonly version: string; readonly description?: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

export interface ApiFacts {
  /** Where the service was reached. */
  readonly url: string;
  readonly models: readonly string[];
  readonly limits: ServiceLimits;
  readonly hasTokens: boolean;
  /** Are the studio's pages served, too? */
  readonly hasStudio: boolean;
}

const STYLE = `
.operation{background:var(--paper);border:1px solid var(--rule);border-radius:8px;padding:.2rem .9rem .5rem;margin:1rem 0}
.operation h3{margin:.6rem 0 .2rem;font-size:1rem}.operation h3 b{color:var(--strong);margin-right:.5rem}
.operation td,.operation th{text-align:left}
`;

/** HTML, self-contained. */
export function apiPage(document: ApiDocument, facts: ApiFacts): Promise<string> {
  const { title, version, description } = document.info;
  return pageOf({
    title: `${title}: HTTP service`,
    kind: 'service',
    style: STYLE,
    head: pageHead(
      'HTTP service',
      html`<p>${description}</p>`,
      html`<p>For programs: <a href="/openapi.json">openapi.json</a>.${facts.hasStudio && html` To look and to try: <a href="/studio/">the studio</a>.`}</p>`,
    ),
    sections: [
      { id: 'start', title: 'Start', content: startOf(facts) },
      ...groupsOf(document).map(([tag, operations]) => ({
        id: tag.toLowerCase().replace(/\W+/g, '-'),
        title: tag,
        content: html`${operations.map(operationOf)}`,
      })),
      { id: 'limits', title: 'Limits', content: limitsOf(facts.limits) },
    ],
    footer: html`rgi ${version}`,
  });
}

function startOf({ url, models, hasTokens }: ApiFacts): Html {
  const model = models.at(0) ?? 'MODEL';
  const token = hasTokens ? " -H 'Authorization: Bearer TOKEN'" : '';
  const address = `${url}/v1/models/${model}`;
  return html`<p>${models.length > 0 ? `Models: ${models.join(', ')}.` : 'The models: GET /v1/models.'}</p>
${command(`curl${token} --data-binary @photo.png -H 'Content-Type: image/png' \\
    '${address}/restore?fit=cover&answer=composite.png' -o restored.png`)}
${command(`curl${token} -F image=@photo.png -F fit=cover ${address}/restore/jobs`)}
<p>Errors are problems (RFC 9457) with a sentence that says what was wrong and what to do next.</p>`;
}

function groupsOf({ paths }: ApiDocument): [string, { method: string; path: string; operation: Operation }[]][] {
  const groups = new Map<string, { method: string; path: string; operation: Operation }[]>();
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const [tag = 'Others'] = operation.tags ?? [];
      groups.set(tag, [...(groups.get(tag) ?? []), { method, path, operation }]);
    }
  }
  return [...groups];
}

function operationOf({ method, path, operation }: { method: string; path: string; operation: Operation }): Html {
  const { summary, parameters = [], requestBody, responses } = operation;
  const answers = Object.entries(responses).map(([status, { description, content }]) => {
    const types = Object.keys(content ?? {}).join(', ');
    return [status, `${description}${types ? ` (${types})` : ''}`] as const;
  });
  return html`<article class="operation"><h3><b>${method.toUpperCase()}</b>${path}</h3>
<p>${summary}</p>
${requestBody && html`<p>Body: ${Object.keys(requestBody.content).join(', ')}</p>`}
${parameters.length > 0 && folded('Parameters', parametersOf(parameters))}
${folded('Answers', factList(answers))}</article>
`;
}

function parametersOf(parameters: readonly Parameter[]): Html {
  const rows = parameters.map(({ name, in: place, description, schema = {} }) => {
    const values = schema.enum?.map(String).join(', ') ?? schema.type ?? '';
    const text = description ?? schema.description ?? '';
    const fallback = schema.default === undefined ? '' : ` Default: ${String(schema.default)}.`;
    return html`<tr><th scope="row">${name}</th><td>${place}</td><td>${values}</td><td>${text}${fallback}</td></tr>`;
  });
  return html`<div class="scroll" tabindex="0"><table><thead><tr><th scope="col">Name</th><th scope="col">Where</th><th scope="col">Values</th><th scope="col">Meaning</th></tr></thead><tbody>${rows}</tbody></table></div>`;
}

function limitsOf(limits: ServiceLimits): Html {
  return factList([
    ['Body of a request', `${(limits.maxBytes / 2 ** 20).toFixed(0)} MiB, else 413`],
    ['Picture', `${limits.maxPixels / 1e6} million pixels, else 413`],
    ['Steps of a restoration', `${limits.maxSteps}, else 400`],
    ['Time of a job', `${limits.jobSeconds} s, else 422`],
    ['Time of a request to arrive', `${limits.bodySeconds} s, else 408`],
    ['Jobs that wait', `${limits.queue}, else 429 with Retry-After`],
    ['Results', `kept for ${limits.keepSeconds} s, at most ${limits.keepJobs} jobs; then 404`],
  ]);
}
