/** The numeric constants of a source file, and the file with one of them changed. */
import { parseAst } from 'vitest/node';

export interface Literal {
  /** The declaration or property that the number belongs to, as `OUTER.inner`; '' for a number amid code. */
  readonly label: string;
  readonly value: number;
  /** Where it stands: a range of the text, and the line (from 1). */
  readonly start: number;
  readonly end: number;
  readonly line: number;
}

interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [member: string]: unknown;
}

/**
 * Numbers in code: types, texts (messages and their parts), names of members, element positions as in `dims[1]` and zeros are left out. A zero has no
 * half and no double.
 */
export function literalsOf(text: string): Literal[] {
  const found: Literal[] = [];
  const visit = (node: SyntaxNode, names: readonly string[]): void => {
    if (isType(node) || node.type === 'TemplateLiteral' || node.type === 'ImportDeclaration') return;
    if (node.type === 'Literal') {
      const { value, start, end } = node;
      if (typeof value === 'number' && value !== 0)
        found.push({ label: names.join('.'), value, start, end, line: text.slice(0, start).split('\n').length });
      return;
    }
    const inner = namesWithin(node, names);
    for (const [member, child] of Object.entries(node)) {
      if (isPosition(node, member) || isName(node, member)) continue;
      for (const one of Array.isArray(child) ? child : [child]) if (isNode(one)) visit(one, inner);
    }
  };
  visit(parseAst(text, { lang: 'ts' }) as unknown as SyntaxNode, []);
  return found;
}

/** The text with `literal` multiplied by `factor`. */
export function changed(text: string, literal: Literal, factor: number): string {
  return `${text.slice(0, literal.start)}${factor * literal.value}${text.slice(literal.end)}`;
}

/** `a as T` and `a satisfies T` are code around a type; every other TypeScript node is a type. */
function isType(node: SyntaxNode): boolean {
  return node.type.startsWith('TS') && !('expression' in node);
}

function isPosition(node: SyntaxNode, member: string): boolean {
  return node.type === 'MemberExpression' && member === 'property';
}

/** The 4 of `{ 4: x }`. */
function isName(node: SyntaxNode, member: string): boolean {
  return node.type === 'Property' && member === 'key';
}

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && typeof (value as SyntaxNode).type === 'string';
}

/** Names end at functions: what stands in their bodies is amid code, unless it is declared there. */
function namesWithin(node: SyntaxNode, names: readonly string[]): readonly string[] {
  const own = nameOf(node);
  if (own !== undefined) return [...names, own];
  return node.type === 'BlockStatement' || node.type === 'CallExpression' ? [] : names;
}

function nameOf({ type, id, key, left }: SyntaxNode): string | undefined {
  const named =
    type === 'VariableDeclarator' ? id : type === 'Property' ? key : type === 'AssignmentPattern' ? left : undefined;
  return isNode(named) && named.type === 'Identifier' ? String(named.name) : undefined;
}
