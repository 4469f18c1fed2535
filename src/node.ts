/** The public interface in Node: the core, and what needs Node. */
export { type DetectorExport, exportDetector } from './detect/export/detector-file.ts';
export type { DetectorInput } from './detect/export/facts.ts';
export { loadGoodPictures, trainingSource } from './detect/node/good-pictures.ts';
export { readPolicy, writePolicy } from './detect/node/policy-files.ts';
export type { DetectRecord } from './detect/node/record.ts';
export { type DetectFilesOptions, type DetectFilesResult, detectFiles } from './detect/node/run.ts';
export { fitFolder, type LinearRunOptions, type LinearRunResult } from './gan/node/linear-run.ts';
export type { RunOptions, RunResult } from './gan/node/options.ts';
export { trainFolder } from './gan/node/run.ts';
export { type ListedPicture, openPictureList, type PictureList, type Shard, shardOf } from './images/node/listing.ts';
export { readMask, readPicture } from './images/node/read.ts';
export { writeMask, writeNpyFile, writePicture } from './images/node/write.ts';
export * from './index.ts';
export type { Entry, JobEvent, Outcome } from './jobs/job.ts';
export { openEncoder } from './models/node/encoder.ts';
export {
  type FeatureFlags,
  type OpenedFeatures,
  openFeatureFile,
  SHIPPED_FEATURES,
} from './models/node/feature-network.ts';
export { openModel } from './models/node/model-file.ts';
export { type GeneratorFlags, openGeneratorFile } from './models/node/networks.ts';
export { type ModelBudget, openTriedModel } from './models/node/trial.ts';
export type { ModelHashes } from './models/node/weight-files.ts';
export type { ImageRecord } from './restore/node/manifest.ts';
export { type RestoreFilesOptions, type RestoreFilesResult, restoreFiles } from './restore/node/run.ts';
export {
  createRuntime,
  type DeviceStatus,
  type NodeRuntimeOptions,
  nodeRuntime,
  probeDevice,
  probeDevices,
  type RuntimeOptions,
  requireDevice,
  type WorkerRuntimeOptions,
  workerRuntime,
} from './runtime/node/index.ts';
export { runTheory, type TheoryHooks, type TheoryJob } from './theory/node/run.ts';
