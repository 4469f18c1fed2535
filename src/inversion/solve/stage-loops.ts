/** The open sessions of a solver: the loop of the stage at hand, and the forward graph beside it. */
import { splitModel } from '../../onnx/encode.ts';
import type { Tensor } from '../../onnx/tensor.ts';
import type { Loop, Runtime, Session, Tensors } from '../../runtime/runtime.ts';
import type { CompiledStep } from '../compile/step.ts';
import { stepLoop } from './lbfgs-loop.ts';

export interface StageLoops {
  /** The loop of a compiled step at the beginning: state `start`, inputs `fixed`. A loop opened before may be closed by it. */
  open(compiled: CompiledStep, start: Tensors, fixed: Tensors): Promise<Loop>;
  /** Runs the forward graph of a compiled step. */
  render(compiled: CompiledStep, feeds: Tensors): Promise<Map<string, Tensor>>;
  dispose(): Promise<void>;
}

/** `keepsAll`: those of all compiled steps stay open, for stages that come again; else those of the last one only. */
export function stageLoops(runtime: Runtime, keepsAll: boolean): StageLoops {
  const loops = new Map<CompiledStep, Loop>();
  const sessions = new Map<CompiledStep, Session>();
  const close = async (): Promise<void> => {
    for (const open of [...loops.values(), ...sessions.values()]) await open.dispose();
    loops.clear();
    sessions.clear();
  };
  return {
    async open(compiled, start, fixed) {
      const known = loops.get(compiled);
      if (known) {
        await known.fix(fixed);
        await known.write(start);
        return known;
      }
      if (!keepsAll) await close();
      const loop = await stepLoop(compiled, runtime, start, fixed);
      loops.set(compiled, loop);
      return loop;
    },
    async render(compiled, feeds) {
      const session = sessions.get(compiled) ?? (await runtime.session(splitModel(compiled.render)));
      sessions.set(compiled, session);
      return session.run(feeds);
    },
    dispose: close,
  };
}
