/** The options of requests: the schemas that validate them, and that the OpenAPI document is made of. */
import { z } from '@hono/zod-openapi';
import { PRESETS } from '../inversion/methods/presets.ts';

const MAX_SEED = 2 ** 32 - 1;

/** Methods that need no mask, no discriminator and no feature network. */
export const SERVED_METHODS = ['rgi', 'rrgi', 'invert'] as const;

const number = z.coerce.number();

/** What a picture's file of results is called, after its kind. */
export const RESTORE_FILES = ['restored.png', 'composite.png', 'mask.png', 'softmask.png', 'residual.png'] as const;
export const DETECT_FILES = ['map.png', 'map.npy', 'mask.png', 'overlay.png'] as const;

export const restoreOptionsSchema = z.strictObject({
  method: z.enum(SERVED_METHODS).default('rgi').openapi({ description: 'The method of restoration.' }),
  preset: z.enum(PRESETS).optional().openapi({ description: "Default: 'fast' of rgi, 'best' of rrgi." }),
  threshold: number
    .positive()
    .max(255)
    .optional()
    .openapi({ description: 'Residual above which a pixel is masked, in grey levels (0 to 255).' }),
  steps: number.int().min(1).max(1_000_000).optional().openapi({ description: 'Steps of optimisation.' }),
  starts: number.int().min(1).max(1024).optional().openapi({ description: 'Searches that compete.' }),
  seed: number.int().min(0).max(MAX_SEED).optional().openapi({ description: 'Of the random latents; default 0.' }),
  fit: z
    .enum(['refuse', 'contain', 'cover', 'stretch'])
    .optional()
    .openapi({ description: 'What to do with a picture of another size.' }),
  grey: z
    .enum(['refuse', 'luma'])
    .optional()
    .openapi({ description: 'What to do with a colour picture where the generator is grey.' }),
  blend: z.enum(['poisson', 'feather', 'none']).optional().openapi({ description: 'The seam of the composite.' }),
  grow: number.int().min(0).max(64).optional().openapi({ description: 'Pixels by which the filled region is grown.' }),
});

/** Options of a restoration, validated. */
export type RestoreOptions = z.infer<typeof restoreOptionsSchema>;

export const detectOptionsSchema = z.strictObject({
  policy: z
    .string()
    .min(1)
    .max(100)
    .default('default')
    .openapi({ description: "The policy, by the name given to 'rgi calibrate'." }),
});

/** Options of an inspection, validated. */
export type DetectOptions = z.infer<typeof detectOptionsSchema>;
