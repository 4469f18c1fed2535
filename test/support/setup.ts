/**
 * Models of tests are not tried in a process of their own (but where that is tested). Property tests draw the same cases in every run; `FC_SEED=N npm test` draws others.
 */
import fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env.FC_SEED ?? 2302) });

process.env.RGI_TRUST_MODELS = '1';
