/**
 * Detectors by name. Those that need no generator: `gaussian`, `pca:COUNT`, `autoencoder[:ssim][:steps=N][:latent=N]`, and on the
 * features of a pretrained network `padim` and `patchcore[:bank=N]`; of a generator, its encoder and its discriminator: `f-anogan[:kappa=N]`; of a calibrated generator: `policy[:NAME][:spaces=pixels|features]`, what
 * `rgi detect` does; of a detector file: `detector`; of a generator: any recipe (`rgi`, `anogan`, ...).
 */
import { RgiError } from '../../errors.ts';
import { AUTOENCODER, type AutoencoderSettings } from '../../gan/autoencoder.ts';
import { maskUseOf } from '../../inversion/methods/index.ts';
import { METHOD_NAMES } from '../../inversion/spec/method.ts';
import { parseRecipe, type Recipe } from '../recipes.ts';
import { PATCHCORE } from './features.ts';

export type NamedDetector = { readonly name: string } & (
  | { readonly kind: 'gaussian' }
  | { readonly kind: 'pca'; readonly components: number }
  | { readonly kind: 'autoencoder'; readonly settings: AutoencoderSettings }
  | { readonly kind: 'padim' }
  | { readonly kind: 'patchcore'; readonly bank: number }
  | { readonly kind: 'f-anogan'; readonly kappa: number }
  | { readonly kind: 'policy'; readonly policy?: string; readonly space?: 'pixels' | 'features' }
  | { readonly kind: 'detector' }
  | { readonly kind: 'search'; readonly recipe: Recipe }
);

const OWN = ['gaussian', 'pca', 'autoencoder', 'padim', 'patchcore', 'f-anogan', 'policy', 'detector'] as const;

/** Weight of f-AnoGAN's features, as in its authors' code. */
const KAPPA = 1;

/** Reads a list; throws `usage`, saying what can be written. `seed` is that of starts and training. */
export function parseDetectors(names: readonly string[], seed = 0): NamedDetector[] {
  const again = names.find((name, i) => names.indexOf(name) < i);
  if (again !== undefined) throw new RgiError('usage', `The method '${again}' is named twice.`);
  return names.map((name) => parseDetector(name, seed));
}

function parseDetector(name: string, seed: number): NamedDetector {
  const fail = (what: string) => new RgiError('usage', `The method '${name}': ${what}`);
  const [first, ...rest] = name.split(':');
  switch (first) {
    case 'gaussian':
      if (rest.length > 0) throw fail('gaussian has no settings.');
      return { name, kind: 'gaussian' };
    case 'pca': {
      const components = Number(rest[0]);
      if (rest.length !== 1 || !Number.isInteger(components) || components < 1)
        throw fail('write pca:COUNT, for instance pca:16.');
      return { name, kind: 'pca', components };
    }
    case 'autoencoder': {
      const about =
        'write autoencoder, or autoencoder:ssim, with :steps=COUNT and :latent=COUNT if they are to differ.';
      return {
        name,
        kind: 'autoencoder',
        settings: { ...AUTOENCODER, ...autoencoderSettings(rest, fail(about)), seed },
      };
    }
    case 'padim':
      if (rest.length > 0) throw fail('padim has no settings.');
      return { name, kind: 'padim' };
    case 'patchcore': {
      const bank = rest.length === 0 ? PATCHCORE.bank : numberOf(rest[0], 'bank');
      if (rest.length > 1 || bank === undefined || !Number.isInteger(bank) || bank < 1)
        throw fail('write patchcore, or patchcore:bank=COUNT.');
      return { name, kind: 'patchcore', bank };
    }
    case 'policy':
      return {
        name,
        kind: 'policy',
        ...policyParts(rest, fail('write policy, policy:NAME, or policy:spaces=pixels.')),
      };
    case 'detector':
      if (rest.length > 0) throw fail('detector has no settings.');
      return { name, kind: 'detector' };
    case 'f-anogan': {
      const kappa = rest.length === 0 ? KAPPA : numberOf(rest[0], 'kappa');
      if (rest.length > 1 || kappa === undefined || kappa < 0) throw fail('write f-anogan, or f-anogan:kappa=NUMBER.');
      return { name, kind: 'f-anogan', kappa };
    }
  }
  if (!METHOD_NAMES.some((known) => first.replace(/\+mask$/, '') === known))
    throw fail(
      `there is no '${first}'; the methods are ${[...OWN, ...METHOD_NAMES.filter((one) => maskUseOf(one) !== 'needed')].join(', ')}.`,
    );
  if (METHOD_NAMES.some((one) => maskUseOf(one) === 'needed' && first.replace(/\+mask$/, '') === one))
    throw fail('it needs the true mask, which is not known in detection.');
  const recipe = parseRecipe(name, seed);
  if (recipe.maskGiven) throw fail('the mask is what detection looks for and cannot be given; leave +mask out.');
  return { name, kind: 'search', recipe };
}

function autoencoderSettings(parts: readonly string[], error: RgiError): Partial<AutoencoderSettings> {
  const settings: { loss?: 'l2' | 'ssim'; steps?: number; latent?: number } = {};
  for (const part of parts) {
    const name = part.split('=')[0] as 'l2' | 'ssim' | 'steps' | 'latent';
    const loss = part === 'l2' || part === 'ssim' ? part : undefined;
    const value = name === 'steps' || name === 'latent' ? numberOf(part, name) : undefined;
    const key = loss ? 'loss' : (name as 'steps' | 'latent');
    const whole = value !== undefined && Number.isInteger(value) && value >= 1;
    if (!(loss || whole) || settings[key] !== undefined) throw error;
    Object.assign(settings, { [key]: loss ?? value });
  }
  return settings;
}

/** The name of a policy, and the one of its spaces that is used, in this order; both may be left out. */
function policyParts(parts: readonly string[], error: RgiError): { policy?: string; space?: 'pixels' | 'features' } {
  const one = /^spaces=(pixels|features)$/.exec(parts.at(-1) ?? '');
  const names = one ? parts.slice(0, -1) : parts;
  if (names.length > 1 || names.some((name) => name.includes('='))) throw error;
  return {
    ...(names.length === 1 ? { policy: names[0] } : {}),
    ...(one ? { space: one[1] as 'pixels' | 'features' } : {}),
  };
}

/** The number of `NAME=NUMBER`. */
function numberOf(part: string, name: string): number | undefined {
  const [key, text] = part.split('=');
  const value = key === name && text?.trim() ? Number(text) : Number.NaN;
  return Number.isFinite(value) ? value : undefined;
}
