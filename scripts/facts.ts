/**
 * What `npm run layers -- --facts` counts: rooms, floors, upward arrows, circles, the longest file and function. A room
 * is a folder of src that holds code; inside a folder its members are its files and its rooms. An arrow between two
 * members stands for any import from one to the other. The floors of a folder are the members of the longest chain of arrows.
 */
import ts from 'typescript-5.9';
import { importGraph, LAYERS, layerOf } from './layers.ts';

export interface FolderFacts {
  readonly folder: string;
  /** Files and rooms directly in it. */
  readonly members: number;
  readonly floors: number;
  /** Members that reach each other, each such group once. Files alone never do: `checkLayers` refuses cycles of files. */
  readonly circles: readonly (readonly string[])[];
}

export interface Facts {
  readonly files: number;
  readonly lines: number;
  readonly folders: readonly FolderFacts[];
  readonly upwardArrows: number;
  readonly longestFile: { readonly file: string; readonly lines: number };
  readonly longestFunction: { readonly file: string; readonly name: string; readonly lines: number };
}

/** Facts of files given by path ("src/onnx/read.ts") and text. */
export function factsOf(files: ReadonlyMap<string, string>): Facts {
  const graph = importGraph(files);
  const lengths = [...files].map(([file, text]) => ({ file, lines: text.split('\n').length - 1 }));
  const functions = [...files].flatMap(([file, text]) => functionsOf(file, text));
  const upward = [...graph].flatMap(([file, targets]) =>
    targets.filter((target) => LAYERS.indexOf(layerOf(target)) > LAYERS.indexOf(layerOf(file))),
  );
  return {
    files: files.size,
    lines: lengths.reduce((sum, { lines }) => sum + lines, 0),
    folders: foldersOf(files.keys()).map((folder) => folderFacts(folder, graph)),
    upwardArrows: upward.length,
    longestFile: longest(lengths),
    longestFunction: longest(functions),
  };
}

/** The facts as lines to print; folders with the most members first. */
export function describeFacts(facts: Facts): string[] {
  const circles = facts.folders.reduce((sum, folder) => sum + folder.circles.length, 0);
  const top = facts.folders.find(({ folder }) => folder === 'src');
  return [
    `${facts.files} files, ${facts.lines} lines, ${facts.folders.length - 1} rooms, ${top?.floors} floors, ${facts.upwardArrows} upward arrows, ${circles} circles of rooms`,
    `longest file: ${facts.longestFile.file}, ${facts.longestFile.lines} lines`,
    `longest function: ${facts.longestFunction.name} in ${facts.longestFunction.file}, ${facts.longestFunction.lines} lines`,
    ...[...facts.folders]
      .sort((a, b) => b.members - a.members)
      .map(({ folder, members, floors }) => `${folder}: ${members} members on ${floors} floors`),
    ...facts.folders.flatMap(({ circles }) => circles.map((members) => `circle: ${members.join(', ')}`)),
  ];
}

function longest<T extends { readonly lines: number }>(all: readonly T[]): T {
  return all.reduce((most, one) => (one.lines > most.lines ? one : most));
}

function foldersOf(files: Iterable<string>): string[] {
  const folders = new Set<string>();
  for (const file of files) {
    const parts = file.split('/');
    for (let depth = 1; depth < parts.length; depth++) folders.add(parts.slice(0, depth).join('/'));
  }
  return [...folders].sort();
}

function folderFacts(folder: string, graph: ReadonlyMap<string, readonly string[]>): FolderFacts {
  const memberOf = (file: string) =>
    file.startsWith(`${folder}/`) ? file.slice(folder.length + 1).split('/')[0] : undefined;
  const arrows = new Map<string, Set<string>>();
  for (const [file, targets] of graph) {
    const from = memberOf(file);
    if (from === undefined) continue;
    const to = arrows.get(from) ?? new Set<string>();
    arrows.set(from, to);
    for (const target of targets) {
      const member = memberOf(target);
      if (member !== undefined && member !== from) to.add(member);
    }
  }
  const groups = strongGroups(arrows);
  return {
    folder,
    members: arrows.size,
    floors: chainLength(arrows, groups),
    circles: groups.filter((group) => group.length > 1).map((group) => group.map((name) => `${folder}/${name}`)),
  };
}

/** Strongly connected groups (Tarjan 1972); a group comes after those that it imports. */
function strongGroups(arrows: ReadonlyMap<string, ReadonlySet<string>>): string[][] {
  const groups: string[][] = [];
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const visit = (name: string) => {
    order.set(name, order.size);
    low.set(name, order.get(name)!);
    stack.push(name);
    for (const next of arrows.get(name) ?? []) {
      if (!order.has(next)) visit(next);
      if (stack.includes(next)) low.set(name, Math.min(low.get(name)!, low.get(next)!));
    }
    if (low.get(name) !== order.get(name)) return;
    groups.push(stack.splice(stack.indexOf(name)).sort());
  };
  for (const name of arrows.keys()) if (!order.has(name)) visit(name);
  return groups;
}

/** Members of the longest chain of arrows; a circle counts as one floor. */
function chainLength(arrows: ReadonlyMap<string, ReadonlySet<string>>, groups: readonly (readonly string[])[]): number {
  const groupOf = new Map(groups.flatMap((group) => group.map((name) => [name, group] as const)));
  const height = new Map<readonly string[], number>();
  for (const group of groups) {
    const below = group
      .flatMap((name) => [...(arrows.get(name) ?? [])])
      .map((name) => groupOf.get(name)!)
      .filter((other) => other !== group);
    height.set(group, 1 + Math.max(0, ...below.map((other) => height.get(other)!)));
  }
  return Math.max(0, ...height.values());
}

interface FunctionLength {
  readonly file: string;
  readonly name: string;
  readonly lines: number;
}

/** Every function with a body, by the name it is declared or assigned to. */
function functionsOf(file: string, text: string): FunctionLength[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const found: FunctionLength[] = [];
  const visit = (node: ts.Node) => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
      const first = source.getLineAndCharacterOfPosition(node.getStart()).line;
      const last = source.getLineAndCharacterOfPosition(node.getEnd()).line;
      found.push({ file, name: nameOf(node), lines: last - first + 1 });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function nameOf(node: ts.SignatureDeclaration): string {
  if (node.name) return node.name.getText();
  const { parent } = node;
  const named = ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent);
  return named ? parent.name.getText() : '(anonymous)';
}
