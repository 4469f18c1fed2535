/** The shell: name, what to do, where it is computed, and the three views, each of which keeps its state. */
import { useEffect, useState } from 'preact/hooks';
import { createEngine } from './engine-client.ts';
import { createExplorer } from './explore/controller.ts';
import { ExploreView } from './explore/view.tsx';
import { createInspector } from './inspect/controller.ts';
import { InspectView } from './inspect/view.tsx';
import { createChoice } from './models/choice.ts';
import { createLibrary } from './models/library.ts';
import { Privacy } from './parts/privacy.tsx';
import { createRestorer } from './restore/controller.ts';
import { RestoreView } from './restore/view.tsx';
import { withServer } from './server/engine.ts';
import { createServer } from './server/state.ts';
import { useStore } from './store.ts';
import { texts } from './texts.ts';

const VIEWS = ['restore', 'inspect', 'explore'] as const;
type View = (typeof VIEWS)[number];

function createStudio() {
  const server = createServer();
  const engine = withServer(createEngine(), server);
  const library = createLibrary(engine, server);
  const restoring = createChoice(library, () => restorer.modelChanged());
  const restorer = createRestorer(engine, () => restoring.state.get().model);
  const inspecting = createChoice(library, () => inspector.modelChanged());
  const inspector = createInspector(engine, library, inspecting);
  const exploring = createChoice(library, () => void explorer.draw(1));
  const explorer = createExplorer(engine, () => exploring.state.get().model);
  return { engine, server, library, restoring, restorer, inspecting, inspector, exploring, explorer };
}

export function App() {
  const [studio] = useState(createStudio);
  const [view, setView] = useState<View>(viewOfAddress);
  useEffect(() => {
    const follow = () => setView(viewOfAddress());
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  useEffect(() => {
    document.title = `${texts.tabs[view]} · ${texts.name}`;
  }, [view]);
  const isRestoring = useStore(studio.restorer.state).items.some(({ phase }) => phase === 'running');
  const isTraining = useStore(studio.inspector.state).training !== undefined;
  useLeaveGuard(isRestoring || isTraining);
  return (
    <>
      <a class="skip" href="#content">
        {texts.skip}
      </a>
      <header class="top">
        <span class="brand">
          <img src="./icon.svg" alt="" width={26} height={26} />
          {texts.name}
        </span>
        <nav aria-label={texts.tabsLabel} class="tabs">
          {VIEWS.map((each) => (
            <a key={each} href={`#${each}`} class="tab" aria-current={each === view ? 'page' : undefined}>
              {texts.tabs[each]}
            </a>
          ))}
        </nav>
        <Privacy engine={studio.engine} server={studio.server} />
      </header>
      <main id="content" tabIndex={-1}>
        {view === 'restore' && (
          <RestoreView library={studio.library} choice={studio.restoring} restorer={studio.restorer} />
        )}
        {view === 'inspect' && (
          <InspectView library={studio.library} choice={studio.inspecting} inspector={studio.inspector} />
        )}
        {view === 'explore' && (
          <ExploreView library={studio.library} choice={studio.exploring} explorer={studio.explorer} />
        )}
      </main>
    </>
  );
}

function viewOfAddress(): View {
  const named = location.hash.slice(1);
  return VIEWS.find((view) => view === named) ?? 'restore';
}

/** The browser asks before it leaves the page while something is computed. */
function useLeaveGuard(isBusy: boolean): void {
  useEffect(() => {
    if (!isBusy) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener('beforeunload', ask);
    return () => removeEventListener('beforeunload', ask);
  }, [isBusy]);
}
