/** Cards of the models that can be chosen, and a place for one's own. */
import { useRef } from 'preact/hooks';
import { Failure } from '../parts/failure.tsx';
import { FileInput } from '../parts/file-input.tsx';
import { useStore } from '../store.ts';
import { texts } from '../texts.ts';
import type { Choice } from './choice.ts';
import { keyOf, type Library, type ModelSource, sourceOfFiles, titleOf } from './library.ts';
import { useOffered } from './offered.ts';

interface PickerProps {
  readonly library: Library;
  readonly choice: Choice;
  /** Heading of the group, for readers who do not see it. */
  readonly label: string;
  /** Only models with a policy. */
  readonly inspecting?: boolean;
  /** Those of the server instead, where it computes. */
  readonly onServer?: boolean;
}

export function ModelPicker({ library, choice, label, inspecting = false, onServer = false }: PickerProps) {
  const { failure } = useStore(library.state);
  const offered = useOffered(library, onServer);
  const chosen = useStore(choice.state);
  const input = useRef<HTMLInputElement>(null);
  const shown = offered.filter(({ model }) => !inspecting || ('inspects' in model && model.inspects));
  const own = chosen.source?.kind === 'files' ? chosen.source : undefined;
  const open = async (files: readonly File[]) => choice.choose(await sourceOfFiles(files));
  return (
    <section class="models" aria-label={label}>
      <div class="cards">
        {shown.map((source) => (
          <Card key={keyOf(source)} source={source} choice={choice} library={library} />
        ))}
        {own && <Card source={own} choice={choice} library={library} />}
        {!onServer && (
          <button type="button" class="card own" onClick={() => input.current?.click()}>
            <span class="card-plus" aria-hidden="true">
              +
            </span>
            <span class="card-title">{texts.models.own}</span>
            <span class="card-about">{texts.models.ownHint}</span>
          </button>
        )}
        <FileInput input={input} label={texts.models.own} accept=".onnx,.npz" onFiles={(files) => void open(files)} />
      </div>
      <Failure sentence={failure || chosen.failure} />
      {chosen.source && (chosen.source.kind === 'server') === onServer && !chosen.model && !chosen.failure && (
        <p class="quiet" role="status">
          {texts.models.opening}
        </p>
      )}
      {own &&
        chosen.model?.notes.map((note) => (
          <p class="quiet" key={note}>
            {note}
          </p>
        ))}
    </section>
  );
}

interface CardProps {
  readonly source: ModelSource;
  readonly choice: Choice;
  readonly library: Library;
}

function Card({ source, choice, library }: CardProps) {
  const chosen = useStore(choice.state);
  const isChosen = chosen.source !== undefined && keyOf(chosen.source) === keyOf(source);
  return (
    <div class="card-place">
      <button
        type="button"
        class={`card${isChosen ? ' chosen' : ''}`}
        aria-pressed={isChosen}
        onClick={() => void choice.choose(source)}
      >
        <CardFace source={source} />
      </button>
      {source.kind === 'saved' && (
        <button
          type="button"
          class="card-erase"
          aria-label={texts.models.erase(source.model.name)}
          title={texts.models.erase(source.model.name)}
          onClick={() => void library.erase(source.model.id)}
        >
          ×
        </button>
      )}
    </div>
  );
}

function CardFace({ source }: { readonly source: ModelSource }) {
  if (source.kind === 'shipped') {
    const { id, title, about } = source.model;
    return (
      <>
        <img src={`models/${id}/thumbnail.webp`} alt="" width={390} height={260} loading="lazy" />
        <span class="card-title">{title}</span>
        <span class="card-about">{about}</span>
      </>
    );
  }
  const [title, about] = wordsOf(source);
  return (
    <>
      <span class="card-plus" aria-hidden="true">
        {title.slice(0, 1).toUpperCase()}
      </span>
      <span class="card-title">{title}</span>
      <span class="card-about">{about}</span>
    </>
  );
}

function wordsOf(source: Exclude<ModelSource, { kind: 'shipped' }>): [title: string, about: string] {
  if (source.kind === 'saved') return [source.model.name, texts.models.savedHere(source.model.bytes)];
  return [titleOf(source), source.kind === 'server' ? texts.server.model : texts.models.fromFile];
}
