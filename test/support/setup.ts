/**
 * Models of tests are not tried in a process of their own (but where that is tested), and what is remembered of models does not
 * come into the user's cache. Property tests draw the same cases in every run; `FC_SEED=N npm test` draws others.
 */
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env.FC_SEED ?? 2302) });

process.env.RGI_TRUST_MODELS = '1';
process.env.XDG_CACHE_HOME = path.join(tmpdir(), 'rgi-test-cache');
