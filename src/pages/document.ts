/** One HTML file that needs no other: no request leaves it, and its policy allows nothing but its own style and script. */
import { type Html, html } from './html.ts';

export interface DocumentParts {
  readonly title: string;
  /** No style attributes beside it: the policy forbids them. */
  readonly style: string;
  /** Absent: the page runs no script at all. */
  readonly script?: string;
  readonly body: Html;
}

export async function selfContained({ title, style, script, body }: DocumentParts): Promise<string> {
  const scripts = script === undefined ? "'none'" : await hashSource(script);
  const policy = `default-src 'none'; img-src data:; style-src ${await hashSource(style)}; script-src ${scripts}; base-uri 'none'; form-action 'none'`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
${html`<title>${title}</title>`.html}
<style>${style}</style>
</head>
<body>
${body.html}
${script === undefined ? '' : `<script>${script}</script>\n`}</body>
</html>
`;
}

/** 'sha256-...' of an inline text, as a content security policy names it. */
async function hashSource(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)));
  return `'sha256-${btoa(String.fromCharCode(...digest))}'`;
}
