/**
 * The docstrings of the public interface, read with the compiler's API: which exports and members have none, and the
 * examples that stand in them. TypeScript 7's package has no such API in JavaScript; 5.9 has.
 */
import path from 'node:path';
import ts from 'typescript-5.9';

/** An export, or a member of one, without a docstring. */
export interface Undocumented {
  /** "Corruption", "Corruption.fill". */
  readonly name: string;
  /** From the root of the repository, with the line: "src/images/corruptions.ts:12". */
  readonly place: string;
}

/** The text of an `@example` and what it belongs to. */
export interface Example {
  /** The export in whose docstring it stands. */
  readonly name: string;
  /** The module that exports it: "rgi" or "rgi/node". */
  readonly module: string;
  readonly code: string;
}

export interface PublicInterface {
  readonly exports: number;
  readonly members: number;
  readonly undocumented: readonly Undocumented[];
  readonly examples: readonly Example[];
}

const ENTRIES: readonly { readonly file: string; readonly module: string }[] = [
  { file: 'src/index.ts', module: 'rgi' },
  { file: 'src/node.ts', module: 'rgi/node' },
];

/** What the two entry modules of the repository at `root` export. */
export function readPublicInterface(root: string): PublicInterface {
  const program = ts.createProgram(
    ENTRIES.map(({ file }) => path.join(root, file)),
    {
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      target: ts.ScriptTarget.ES2022,
      allowImportingTsExtensions: true,
      noEmit: true,
      types: [],
    },
  );
  const checker = program.getTypeChecker();
  const seen = new Map<ts.Symbol, { name: string; module: string }>();
  for (const { file, module } of ENTRIES) {
    const source = program.getSourceFile(path.join(root, file))!;
    for (const exported of checker.getExportsOfModule(checker.getSymbolAtLocation(source)!)) {
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
      if (!seen.has(symbol)) seen.set(symbol, { name: exported.name, module });
    }
  }
  const undocumented: Undocumented[] = [];
  const examples: Example[] = [];
  const members = new Set<ts.Node>();
  for (const [symbol, { name, module }] of seen) {
    const declarations = symbol.declarations ?? [];
    if (symbol.getDocumentationComment(checker).length === 0) {
      undocumented.push({ name, place: placeOf(declarations[0], root) });
    }
    for (const tag of symbol.getJsDocTags(checker)) {
      if (tag.name === 'example') examples.push({ name, module, code: codeOf(ts.displayPartsToString(tag.text)) });
    }
    for (const member of declarations.flatMap((declaration) => membersOf(declaration, checker))) {
      if (members.has(member)) continue;
      members.add(member);
      const of = checker.getSymbolAtLocation(member.name!)!;
      if (of.getDocumentationComment(checker).length === 0) {
        undocumented.push({ name: `${name}.${member.name!.getText()}`, place: placeOf(member, root) });
      }
    }
  }
  return { exports: seen.size, members: members.size, undocumented, examples };
}

type Member = ts.TypeElement | ts.ClassElement;

/**
 * Named members of an interface (inherited ones too), a class or the object types within a type alias. Left out is what
 * another text describes: the variants of a union that have a comment of their own; object types of one line, by the
 * docstring of the member whose type they are; a builder's methods that carry an ONNX operator's name.
 */
function membersOf(declaration: ts.Declaration, checker: ts.TypeChecker): Member[] {
  if (ts.isInterfaceDeclaration(declaration)) {
    const inherited = (declaration.heritageClauses ?? [])
      .flatMap((clause) => clause.types)
      .flatMap((type) => checker.getTypeAtLocation(type).symbol?.declarations ?? [])
      .filter((base) => ts.isInterfaceDeclaration(base) && !base.getSourceFile().isDeclarationFile);
    return [...inherited.flatMap((base) => membersOf(base, checker)), ...withNested(declaration.members)];
  }
  if (ts.isTypeAliasDeclaration(declaration)) return membersOfType(declaration.type);
  if (ts.isClassDeclaration(declaration)) return declaration.members.filter(isPublicMember);
  return [];
}

function isPublicMember(member: ts.ClassElement): boolean {
  const isPrivate = (ts.getCombinedModifierFlags(member) & ts.ModifierFlags.Private) !== 0;
  return member.name !== undefined && !isPrivate && !/^[A-Z]/.test(member.name.getText());
}

function membersOfType(type: ts.TypeNode): Member[] {
  if (ts.isTypeLiteralNode(type)) return withNested(type.members);
  if (ts.isIntersectionTypeNode(type)) return type.types.filter(isOfSeveralLines).flatMap(membersOfType);
  if (ts.isUnionTypeNode(type)) return type.types.filter((one) => !hasDocComment(one)).flatMap(membersOfType);
  return [];
}

function withNested(members: readonly ts.TypeElement[]): Member[] {
  return members
    .filter((member) => member.name)
    .flatMap((member) => {
      const type = ts.isPropertySignature(member) ? member.type : undefined;
      const inner = type && ts.isTypeLiteralNode(type) && isOfSeveralLines(type) ? type.members : [];
      return [member, ...withNested(inner)];
    });
}

function isOfSeveralLines(node: ts.Node): boolean {
  return node.getText().includes('\n');
}

function hasDocComment(node: ts.Node): boolean {
  const text = node.getSourceFile().text;
  // The comment stands before the `|` of the variant, at the end of the one before it.
  const bar = text.lastIndexOf('|', node.getStart());
  return text.slice(node.parent.getFullStart(), bar).trimEnd().endsWith('*/');
}

function placeOf(node: ts.Node, root: string): string {
  const source = node.getSourceFile();
  const { line } = source.getLineAndCharacterOfPosition(node.getStart());
  return `${path.relative(root, source.fileName)}:${line + 1}`;
}

function codeOf(text: string): string {
  return text.replace(/^```ts\n/, '').replace(/\n```\s*$/, '\n');
}
