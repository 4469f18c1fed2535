/**
 * The public interface of the core: an explicit list, everything else is internal. It runs in a browser as in Node; what
 * needs Node (devices, files) is in `rgi/node`.
 */

export { readNpy, readNpz, writeNpy, writeNpz } from './arrays/npy.ts';
export { differentiate, missingRules } from './autodiff/differentiate.ts';
export { type Calibration, type CalibrationJob, calibrate, FALSE_ALARMS } from './detect/calibrate.ts';
export type { CalibrationSearch } from './detect/calibration-setup.ts';
export { type Defect, findDefects } from './detect/defects.ts';
export { type Inspection, type Inspector, type InspectorOptions, openInspector } from './detect/inspector.ts';
export type { FeatureSource } from './detect/join-spaces.ts';
export type { Policy, PolicySettings, Statistics } from './detect/policy.ts';
export { parsePolicy, policyNames } from './detect/stored-policy.ts';
export {
  type ErrorCode,
  type ErrorDetails,
  type ErrorLocation,
  type FileReason,
  messageOf,
  RgiError,
  type RgiErrorOptions,
} from './errors.ts';
export {
  type FeatureLayer,
  type FeatureNetwork,
  type FeatureNetworkOptions,
  type FeatureRange,
  openFeatureNetwork,
} from './features/network.ts';
export { composite } from './images/blend.ts';
export { type Corruption, corrupt, FILLS } from './images/corruptions.ts';
export { DEFECT_KINDS, type DefectKind, drawDefects } from './images/defects.ts';
export type { Image, Mask } from './images/image.ts';
export { REGIONS, type Region } from './images/regions.ts';
export { adaptGenerator } from './inspect/adapt.ts';
export type {
  BatchFacts,
  ImageFacts,
  ImageLayout,
  ImageRange,
  LatentFacts,
  ModelFacts,
} from './inspect/facts.ts';
export {
  checkByDifferences,
  checkByReference,
  DIFFERENCE_TOLERANCE,
  type DifferenceOptions,
  type GradcheckEntry,
  type GradcheckResult,
  REFERENCE_TOLERANCE,
  type ReferenceOptions,
} from './inspect/gradcheck.ts';
export { type InspectOptions, inspectModel } from './inspect/inspect.ts';
export { type Reuse, reuse } from './inversion/compile/reuse.ts';
export { type Critic, criticOf } from './inversion/generator/critic.ts';
export {
  type Generator,
  type GeneratorOptions,
  type Latent,
  type LatentLaw,
  openGenerator,
} from './inversion/generator/generator.ts';
export { withWeightChanges } from './inversion/generator/weight-changes.ts';
export { isOutOfDomain, type Misfit, misfitOf } from './inversion/mask/corruption/domain.ts';
export {
  CORRUPTION_DEFAULTS,
  type CorruptionData,
  type CorruptionOptions,
  type CorruptionParameters,
  type InferredCorruption,
  inferCorruption,
} from './inversion/mask/corruption/infer-corruption.ts';
export type { KnownMask, ScaleTerms } from './inversion/mask/corruption/planes.ts';
export { type AnoganOptions, anogan } from './inversion/methods/anogan.ts';
export type { ContinuationSchedule } from './inversion/methods/continuation.ts';
export { type DgpOptions, dgp } from './inversion/methods/dgp.ts';
export { buildMethod } from './inversion/methods/index.ts';
export { type InvertOptions, invert } from './inversion/methods/invert.ts';
export type { MethodContext, MethodOptions } from './inversion/methods/options.ts';
export {
  PAPER,
  type PaperPreset,
  type PaperSettings,
  PRESETS,
  type Preset,
  paperStart,
} from './inversion/methods/presets.ts';
export { type RgiOptions, rgi } from './inversion/methods/rgi.ts';
export { type RrgiOptions, rrgi } from './inversion/methods/rrgi.ts';
export type { WeightChoice } from './inversion/methods/weights.ts';
export { type YehOptions, yeh } from './inversion/methods/yeh.ts';
export { type RunOptions, runMethod } from './inversion/solve/driver.ts';
export { type Restoration, type RestoreHooks, type RestoreJob, restoreImages } from './inversion/solve/restore.ts';
export type { SearchState, SolverOptions, StepReport } from './inversion/solve/run.ts';
export { createSolver, type Inversion, type Solver } from './inversion/solve/solver.ts';
export { type History, readState, type SolverState, type Tuning, writeState } from './inversion/solve/state.ts';
export {
  type Controls,
  type Formulation,
  type LossTerm,
  lambdaOf,
  lambdaOfThreshold,
  type MaskForm,
  type PixelTerm,
  type Prior,
  type Reduction,
  thresholdOfLambda,
} from './inversion/spec/formulation.ts';
export { METHOD_NAMES, type Method, type MethodName, type Stage } from './inversion/spec/method.ts';
export { RESULT_SENTENCES, type ResultCode, TUNING_DISCARDED } from './inversion/spec/result.ts';
export { encoderFits } from './inversion/start/encoded.ts';
export * from './metrics/index.ts';
export {
  type OpenedGenerator,
  type OpeningOptions,
  openGeneratorBytes,
  openGeneratorModel,
} from './models/generator.ts';
export { GraphBuilder, type Value } from './onnx/builder.ts';
export { encodeModel } from './onnx/encode.ts';
export type { ExternalData } from './onnx/external-data.ts';
export type { Attribute, Evaluate, Graph, Model, Node, StaticGraph, ValueInfo } from './onnx/graph.ts';
export { NEWEST_OPSET, OLDEST_OPSET, readModel } from './onnx/read.ts';
export {
  type ElementType,
  float32,
  ints,
  numbersOf,
  type Tensor,
  type TensorType,
  tensorOf,
  zeros,
} from './onnx/tensor.ts';
export { specialise } from './passes/specialise.ts';
export { retie, type TiedCopy, type TiedGroup, tiedWeights } from './passes/tied.ts';
export { type TrainableOptions, trainableWeights } from './passes/trainable.ts';
export { type Random, randomFrom } from './random.ts';
export {
  DEVICES,
  type Device,
  evaluatorOf,
  type Loop,
  type Runtime,
  type Session,
  type SessionOptions,
  type Tensors,
} from './runtime/runtime.ts';
export { findInvariance } from './theory/measure.ts';
export { type Plan, planOf } from './theory/plan.ts';
export { type Cell, EXPERIMENTS, type Experiment, type Invariance, type Theory } from './theory/record.ts';
export { prepareSetting, type Setting } from './theory/setting.ts';
