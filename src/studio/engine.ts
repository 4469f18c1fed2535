/**
 * What the studio's page asks of its engine, which computes in a worker of its own. Everything is structured-cloneable plain data, so
 * that the page needs no code of the core but types. Errors arrive as `EngineFailure`.
 */
import type { ErrorCode, ErrorDetails } from '../errors.ts';
import type { MethodName } from '../inversion/spec/method.ts';

/** A file as the page has it. */
export interface NamedBytes {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** A decoded picture at its own size: RGBA rows, 8 bits a channel, not premultiplied. */
export interface Picture {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly rgba: Uint8ClampedArray;
}

/** One value a pixel, of a picture of the same size: masks hold 0 or 255. */
export interface Plane {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** Where it is computed. */
export interface Backend {
  readonly device: 'webgpu' | 'wasm';
  readonly threads: number;
  /** Why not with more: no WebGPU, no cross-origin isolation, a lost device; '' where nothing is missing. */
  readonly note: string;
}

/** A model that is open in the engine. */
export interface OpenedModel {
  readonly id: string;
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  /** Values of the latent. */
  readonly latents: number;
  /** Is G affine in z, so that it is solved exactly? */
  readonly isLinear: boolean;
  /** Policies for inspection that came with it. */
  readonly policies: readonly string[];
  /** What was assumed, one sentence each. */
  readonly notes: readonly string[];
  /** Present where a server computes: it takes no painted masks, does not pause, and has these methods only. */
  readonly served?: { readonly methods: readonly MethodName[] };
}

export interface EngineFailure {
  readonly code: ErrorCode | 'stopped' | 'lost';
  /** One sentence: what was wrong, and what to do. */
  readonly message: string;
  readonly details?: ErrorDetails;
}

export interface RestoreRequest {
  readonly model: string;
  readonly picture: Picture;
  readonly method: MethodName;
  readonly seed: number;
  readonly steps?: number;
  /** 'contain' shows all of the picture, 'cover' its middle. */
  readonly fit: 'contain' | 'cover';
  /** Residual in grey levels above which a pixel counts as found; absent: the model of corruption decides. */
  readonly thresholdGrey?: number;
  /** Painted by the user, at the picture's own size. */
  readonly keep?: Plane;
  readonly hide?: Plane;
  /** `latents` of an earlier result of the same picture: the search goes on from there. */
  readonly latents?: Float32Array;
}

/** A state amid a search, at the model's size. */
export interface RestoreProgress {
  readonly step: number;
  readonly steps: number;
  /** Absent where a server computes, as the two below. */
  readonly loss?: number;
  /** Mean of the mask, 0 to 1. */
  readonly masked?: number;
  readonly secondsLeft?: number;
  /** What is being done, in words, where it is no step of the search. */
  readonly what?: string;
  /** At most a few a second. */
  readonly frame?: { readonly restored: Picture; readonly mask: Plane; readonly residual: Plane };
}

export interface RestoreResult {
  readonly id: string;
  /** At the picture's own size: the found region filled, every other pixel untouched. */
  readonly composite: Picture;
  readonly mask: Plane;
  /** |x - G(z)| in grey levels, 0 to 255, at the picture's own size. */
  readonly residual: Plane;
  /** Probability that a pixel is corrupted, 0 to 255, at the picture's own size. */
  readonly uncertainty: Plane;
  /** G(z) at the model's size. */
  readonly restored: Picture;
  /** z, the generator's latents one after the other; absent where a server computed it. */
  readonly latents?: Float32Array;
  /** Result code of the search, with its sentence. */
  readonly code: string;
  readonly sentence: string;
  readonly misfitGrey: number;
  readonly maskedShare: number;
  readonly seconds: number;
  readonly steps: number;
  readonly outOfDomain: boolean;
  readonly history: { readonly loss: readonly number[]; readonly masked: readonly number[] };
  /** What `rgi restore` needs to repeat it, for the downloaded manifest. */
  readonly settings: Readonly<Record<string, unknown>>;
}

export interface TrainRequest {
  readonly name: string;
  readonly pictures: readonly Picture[];
  /** Side of the generator's pictures. */
  readonly size: number;
  /** Latents; absent: chosen by the number of pictures. */
  readonly components?: number;
  /** 'inspect': a policy is calibrated as well, on pictures held out of the training. */
  readonly purpose: 'restore' | 'inspect';
  /** Compare features as well; needs the feature network, which the page fetches. */
  readonly features?: NamedBytes;
  readonly seed: number;
}

export interface WorkProgress {
  /** Of the stage, in words for the page: 'Training', 'Calibrating', ... */
  readonly stage: string;
  readonly share: number;
  readonly secondsLeft?: number;
}

export interface TrainResult {
  readonly model: OpenedModel;
  /** generator.onnx with its policy's companions, to be saved or opened again. */
  readonly files: readonly NamedBytes[];
  /** Calibration: score of each held-out good picture, oddest first, and the limit at 5 percent of false alarms. */
  readonly good?: readonly { readonly name: string; readonly score: number }[];
  readonly limit?: number;
}

export interface InspectRequest {
  readonly model: string;
  readonly policy: string;
  readonly picture: Picture;
}

export interface InspectResult {
  readonly score: number;
  readonly limit: number;
  readonly verdict: 'good' | 'marked' | 'defective';
  /** Anomaly map in units of the limit of a pixel: 128 is at the limit, at the picture's own size. */
  readonly map: Plane;
  /** Pixels above the limit, 255. */
  readonly mask: Plane;
  readonly regions: readonly {
    readonly x: number;
    readonly y: number;
    readonly width: number;
    readonly height: number;
    readonly score: number;
  }[];
  readonly seconds: number;
}

/** A piece of work that is going on. */
export interface Work<Result> {
  readonly result: Promise<Result>;
  /** It takes no further step until `resume`. */
  pause(): void;
  resume(): void;
  /** `result` then fails with the code 'stopped'. */
  stop(): void;
}

export interface Engine {
  readonly backend: Promise<Backend>;
  /** A generator with its companions (policy, encoder), dropped together. */
  open(files: readonly NamedBytes[]): Promise<OpenedModel>;
  close(model: string): Promise<void>;
  restore(request: RestoreRequest, onProgress: (progress: RestoreProgress) => void): Work<RestoreResult>;
  train(request: TrainRequest, onProgress: (progress: WorkProgress) => void): Work<TrainResult>;
  inspect(request: InspectRequest): Promise<InspectResult>;
  /** Pictures of G: each z is drawn with the seed, or given. */
  sample(model: string, latents: readonly Float32Array[]): Promise<readonly Picture[]>;
  draw(model: string, count: number, seed: number): Promise<readonly Float32Array[]>;
  /** The latent nearest to a picture, and its picture. */
  project(model: string, picture: Picture): Promise<{ readonly latent: Float32Array; readonly picture: Picture }>;
  /** Latents, one after the other, as the file that `rgi restore --from-latents` reads. */
  latentsFile(model: string, latents: Float32Array): Promise<Uint8Array>;
  /** The detector file of a model with a policy. */
  exportDetector(model: string, policy: string): Promise<NamedBytes>;
  /** Ends the worker, and gives its memory back. A later call starts a new one; open models are opened again. */
  dispose(): void;
}
