/** Models that a process holds open: each is opened once, and the least recently used goes where memory runs short. */
import { type Inspector, openInspector } from '../../detect/inspector.ts';
import { readPolicy } from '../../detect/node/policy-files.ts';
import type { Policy } from '../../detect/policy.ts';
import { type Reuse, reuse } from '../../inversion/compile/reuse.ts';
import { openPolicyFeatures } from '../../models/node/feature-network.ts';
import { openProduct, type ProductModel } from '../../models/node/product.ts';
import { encodeModel } from '../../onnx/encode.ts';
import type { Runtime, Session } from '../../runtime/runtime.ts';
import type { Held, ModelFile } from './orders.ts';

/** An open model with what was compiled for it. */
export interface Opened {
  readonly product: ProductModel;
  /** What runs of one start rule share. */
  reuseFor(key: unknown): Reuse;
  /** The generator itself, as it is: latents to pictures. */
  session(): Promise<Session>;
  policy(name: string): Promise<Policy>;
  inspector(policy: Policy): Promise<Inspector>;
}

interface Entry {
  readonly stamp: string;
  readonly opened: Promise<Opened>;
  readonly reuses: Map<string, Reuse>;
  readonly inspectors: Map<string, Promise<Inspector>>;
  /** The session of the generator, once it was asked for. */
  session?: Promise<Session>;
}

/** Start rules and steps whose compiled graphs are kept, a model. */
const MAX_REUSES = 8;
const MAX_STEPS = 32;

export interface Shelf {
  open(model: ModelFile): Promise<Opened>;
  /** Closes the models used least recently until the process holds at most `bytes`, or one model. */
  shrink(bytes: number): Promise<void>;
  held(): Held;
}

export function openShelf(runtime: Runtime): Shelf {
  // A Map keeps the order of insertion: the first is the one used least recently.
  const entries = new Map<string, Entry>();
  const resident = () => process.memoryUsage.rss();
  return {
    open(model) {
      const known = entries.get(model.name);
      const entry = known?.stamp === model.stamp ? known : entryOf(model, runtime);
      if (known && entry !== known) void close(known);
      entries.delete(model.name);
      entries.set(model.name, entry);
      // One that could not be opened is tried again the next time: its file may have been replaced.
      entry.opened.catch(() => entries.delete(model.name));
      return entry.opened;
    },
    async shrink(bytes) {
      for (const [name, entry] of [...entries].slice(0, -1)) {
        if (resident() <= bytes) return;
        entries.delete(name);
        await close(entry);
      }
    },
    held: () => ({
      models: [...entries.keys()],
      bytes: resident(),
      steps: [...entries.values()].reduce(
        (sum, { reuses }) => sum + [...reuses.values()].reduce((all, { steps }) => all + steps.size, 0),
        0,
      ),
    }),
  };
}

/** Frees its sessions; what could not be opened has none. */
async function close({ inspectors, session }: Entry): Promise<void> {
  for (const inspector of inspectors.values())
    await inspector.then(
      (one) => one.dispose(),
      () => undefined,
    );
  await session?.then(
    (one) => one.dispose(),
    () => undefined,
  );
}

async function inspectorFor(
  { generator, encoder }: ProductModel,
  policy: Policy,
  modelFile: string,
  runtime: Runtime,
): Promise<Inspector> {
  const features = await openPolicyFeatures(runtime, policy, modelFile);
  return openInspector({ generator, encoder, features: features?.network, policy }, runtime);
}

function entryOf(model: ModelFile, runtime: Runtime): Entry {
  const reuses = new Map<string, Reuse>();
  const inspectors = new Map<string, Promise<Inspector>>();
  const open = async (): Promise<Opened> => {
    const product = await openProduct(runtime, { generator: model.file });
    return {
      product,
      reuseFor(key) {
        const name = JSON.stringify(key);
        const known = reuses.get(name);
        if (known && known.steps.size < MAX_STEPS) return known;
        if (reuses.size >= MAX_REUSES) reuses.delete(reuses.keys().next().value!);
        const fresh = reuse();
        reuses.set(name, fresh);
        return fresh;
      },
      session() {
        entry.session ??= runtime.session(encodeModel(product.generator.graph));
        return entry.session;
      },
      policy: (name) => readPolicy(model.file, product.model, name),
      inspector(policy) {
        const known = inspectors.get(policy.name) ?? inspectorFor(product, policy, model.file, runtime);
        inspectors.set(policy.name, known);
        known.catch(() => inspectors.delete(policy.name));
        return known;
      },
    };
  };
  const entry: Entry = { stamp: model.stamp, opened: open(), reuses, inspectors };
  return entry;
}
