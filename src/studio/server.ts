/** What a service that serves the studio says of itself. */
import type { MethodName } from '../inversion/spec/method.ts';

/** Name of the file, beside the page. */
export const SERVER_FILE = 'server.json';

/** `server.json`. A static site has one too, without a service. */
export interface ServerFacts {
  readonly service?: {
    /** Where the service's addresses begin, as seen from the page: '../'. */
    readonly root: string;
    /** Must requests carry a bearer token? */
    readonly hasTokens: boolean;
    /** Methods that it computes. */
    readonly methods: readonly MethodName[];
  };
}
