/** The service that the page came from, where it came from one: may it compute, and what with. Off until the user switches it on. */
import type { OpenedModel } from '../../engine.ts';
import { SERVER_FILE, type ServerFacts } from '../../server.ts';
import { sentenceOf } from '../failures.ts';
import { createStore, type Store } from '../store.ts';
import { type Api, apiAt, Refusal } from './api.ts';

export interface ServerState {
  /** Its host and port; undefined where there is no service, or where it does not answer. */
  readonly host?: string;
  /** Does the user want it to compute? */
  readonly isOn: boolean;
  /** Names of its models, once they are known. */
  readonly models?: readonly string[];
  /** Must a token be given before it answers? */
  readonly asksForToken: boolean;
  readonly failure: string;
}

export interface Server {
  readonly state: Store<ServerState>;
  readonly api: Api | undefined;
  /** Its models that were opened, by their ids. */
  readonly opened: Map<string, OpenedModel>;
  open(name: string): Promise<OpenedModel>;
  switchTo(isOn: boolean): void;
  /** Kept until the tab is closed. */
  setToken(token: string): void;
}

export function createServer(): Server {
  const state = createStore<ServerState>({ isOn: false, asksForToken: false, failure: '' });
  const opened = new Map<string, OpenedModel>();
  let service: ServerFacts['service'];
  let api: Api | undefined;
  let token = '';
  /** Grows with each turn of the switch and each token: answers to an earlier question no longer count. */
  let question = 0;

  const find = async () => {
    const answer = await fetch(SERVER_FILE, { cache: 'no-cache' });
    service = ((await answer.json()) as ServerFacts).service;
    if (!service) return;
    const root = new URL(service.root, document.baseURI);
    const found = apiAt(root.href, () => token);
    if (!(await found.isThere())) return;
    api = found;
    state.patch({ host: root.host });
  };
  const list = async () => {
    if (!api || !state.get().isOn) return;
    const own = ++question;
    if (service?.hasTokens && token === '') return state.patch({ asksForToken: true });
    try {
      const models = await api.models();
      if (own === question) state.patch({ models, asksForToken: false, failure: '' });
    } catch (error) {
      if (own !== question) return;
      const asksForToken = error instanceof Refusal && error.status === 401;
      state.patch({ asksForToken, failure: sentenceOf(error) });
    }
  };
  // A page without a service works as it is.
  find().catch(() => {});

  return {
    state,
    get api() {
      return api;
    },
    opened,
    async open(name) {
      const { picture, latents, policies, notes } = await api!.facts(name);
      const model: OpenedModel = {
        id: `server ${name}`,
        name,
        ...picture,
        latents: latents.reduce((sum, { dims }) => sum + dims.reduce((product, n) => product * n, 1), 0),
        isLinear: false,
        policies,
        notes,
        served: { methods: service!.methods },
      };
      opened.set(model.id, model);
      return model;
    },
    switchTo(isOn) {
      question++;
      state.patch({ isOn, models: undefined, asksForToken: false, failure: '' });
      if (isOn) void list();
    },
    setToken(given) {
      token = given.trim();
      void list();
    },
  };
}
