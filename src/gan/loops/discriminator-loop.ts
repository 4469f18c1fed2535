/**
 * The discriminator's side of a training. Its penalty is lazy (Karras et al. 2020): one loop without it and one with it,
 * which hand the state to each other.
 */
import type { Tensor } from '../../onnx/tensor.ts';
import type { Loop, Tensors } from '../../runtime/runtime.ts';
import { drawAugment } from '../augment.ts';
import { compileDiscriminatorStep, DISCRIMINATOR_STEP } from '../steps/discriminator-step.ts';
import { initialState, parametersOf } from '../steps/update.ts';
import type { StepPictures } from './generator-loop.ts';
import { adamControls, batchSize, type Position, type TrainingSetup } from './setup.ts';

export interface DiscriminatorLoop {
  /** One step on the real pictures and on made ones, `fake` [n,C,H,W]; its updates count from the end of the warm-up. */
  step(pictures: StepPictures, fake: Tensor, position: Position): Promise<Tensors>;
  /** The weights that the generator is judged by. */
  weights(): Promise<Map<string, Tensor>>;
  /** Weights and moments. */
  state(): Promise<Map<string, Tensor>>;
  load(state: Map<string, Tensor>): Promise<void>;
  dispose(): Promise<void>;
}

interface Loops {
  readonly plain: Loop;
  /** The same loop where there is no penalty. */
  readonly penalised: Loop;
  /** The one that made the last step, and holds the state. */
  last: 'plain' | 'penalised';
}

export function discriminatorLoop(setup: TrainingSetup): DiscriminatorLoop {
  const { settings, networks, judge, channels, size } = setup;
  const names = [...parametersOf('discriminator', judge).keys()];
  /** The state before the loops are opened. */
  let held = initialState(parametersOf('discriminator', networks.discriminator), false);
  let loops: Loops | undefined;

  const state = async () => (loops ? loops[loops.last].read() : held);
  const opened = () => (loops ? [...new Set([loops.plain, loops.penalised])] : []);

  async function loopAt(wanted: Loops['last']): Promise<Loop> {
    loops ??= await openLoops(setup, held);
    if (loops.last !== wanted && loops.plain !== loops.penalised)
      await loops[wanted].write(await loops[loops.last].read());
    loops.last = wanted;
    return loops[wanted];
  }

  return {
    async step({ images, random }, fake, position) {
      const judged = position.step - settings.warmup;
      const isPenalised = settings.penalty > 0 && judged % settings.penaltyEvery === 0;
      const loop = await loopAt(isPenalised ? 'penalised' : 'plain');
      const feeds = adamControls(settings, position, judged + 1);
      feeds.set(DISCRIMINATOR_STEP.real, images).set(DISCRIMINATOR_STEP.fake, fake);
      if (settings.augment)
        for (const prefix of [DISCRIMINATOR_STEP.realAugment, DISCRIMINATOR_STEP.fakeAugment])
          for (const entry of drawAugment(prefix, settings.augment, [batchSize(settings), channels, size], random))
            feeds.set(...entry);
      return loop.step(feeds);
    },
    async weights() {
      if (loops) return loops[loops.last].read(names);
      return new Map(names.map((name) => [name, held.get(name)!]));
    },
    state,
    async load(next) {
      held = next;
      for (const loop of opened()) await loop.write(next);
    },
    async dispose() {
      for (const loop of opened()) await loop.dispose();
    },
  };
}

async function openLoops(setup: TrainingSetup, state: Tensors): Promise<Loops> {
  const { settings, networks, channels, size, runtime, evaluate } = setup;
  const { augment, betas, selfSupervision } = settings;
  const common = { channels, size, augment, betas, batch: batchSize(settings), supervision: selfSupervision };
  const open = async (penalty: number) =>
    runtime.loop(
      await compileDiscriminatorStep(networks.discriminator, { ...common, penalty }, evaluate),
      state,
      new Map(),
    );
  const penalty = settings.penalty * settings.penaltyEvery;
  const plain = await open(0);
  return { plain, penalised: penalty > 0 ? await open(penalty) : plain, last: 'plain' };
}
