/** Names of the step's own inputs and outputs; a generator's names cannot clash with them. */
export const STEP = {
  x: 'rgi.x',
  visibility: 'rgi.visibility',
  mask: 'rgi.mask',
  lambda: 'rgi.lambda',
  latentRate: 'rgi.rate.latent',
  maskRate: 'rgi.rate.mask',
  weightRate: (group: number) => `rgi.rate.weights.${group}`,
  termScale: (term: number) => `rgi.scale.${term}`,
  correction1: 'rgi.correction.1',
  correction2: 'rgi.correction.2',
  firstMoment: (name: string) => `rgi.m.${name}`,
  secondMoment: (name: string) => `rgi.v.${name}`,
  memory: 'rgi.lbfgs',
  gradient: (name: string) => `rgi.gradient.${name}`,
  /** Of the loop by L-BFGS, per search: see `gradientNormsOf`. */
  gradientNorm: 'rgi.gradient.norm',
  /** L-BFGS beside the latents' prior: the prior's weight of the last accepted point, and what it is at this one. */
  priorWeight: 'rgi.prior.weight',
  measuredPriorWeight: 'rgi.prior.weight.measured',
  priorGradient: (name: string) => `rgi.prior.gradient.${name}`,
  /** The objective with that of the last accepted point; `loss` is with its own. */
  trialLoss: 'rgi.loss.trial',
  /** Where the best state is kept: that of a variable, and L_rec [2] of the first state and of the best. */
  best: (name: string) => `rgi.best.${name}`,
  bestFidelity: 'rgi.best.fidelity',
  image: 'rgi.image',
  softMask: 'rgi.softmask',
  loss: 'rgi.loss',
  fidelity: 'rgi.fidelity',
  masked: 'rgi.masked',
} as const;
