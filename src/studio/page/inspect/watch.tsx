/** Pictures that come by themselves: from a watched folder, or from the camera, a frame every few seconds. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { hasCamera } from '../parts/camera.tsx';
import { Failure } from '../parts/failure.tsx';
import { isPictureName, pixelsOf } from '../pictures/read.ts';
import { encodePicture } from '../pictures/write.ts';
import { texts } from '../texts.ts';

/** Between two looks at the folder or the camera. */
const EVERY_MS = 2000;

interface WatchProps {
  readonly onFiles: (files: readonly File[]) => void;
}

/** Not in every browser, and not in the types of TypeScript. */
interface FolderHandle {
  values(): AsyncIterable<{ readonly kind: string; readonly name: string; getFile(): Promise<File> }>;
}
const pickFolder = () =>
  (globalThis as { showDirectoryPicker?: () => Promise<FolderHandle> }).showDirectoryPicker?.bind(globalThis);

export function Watch({ onFiles }: WatchProps) {
  const [watched, setWatched] = useState<'camera' | FolderHandle | undefined>();
  const [failure, setFailure] = useState('');
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    if (!watched) return;
    const stop = new AbortController();
    const watching =
      watched === 'camera'
        ? watchCamera(video.current, onFiles, stop.signal)
        : watchFolder(watched, onFiles, stop.signal);
    watching.catch(() => {
      setFailure(watched === 'camera' ? texts.failures.camera : texts.failures.folder);
      setWatched(undefined);
    });
    return () => stop.abort();
  }, [watched, onFiles]);
  const pick = pickFolder();
  if (watched) {
    return (
      <>
        {watched === 'camera' && (
          <video ref={video} class="watching" autoplay muted playsInline aria-label={texts.camera.label} />
        )}
        <button type="button" onClick={() => setWatched(undefined)}>
          {texts.watch.stop}
        </button>
      </>
    );
  }
  return (
    <>
      {pick && (
        <button type="button" onClick={() => void pick().then(setWatched, () => {})}>
          {texts.watch.folder}
        </button>
      )}
      {hasCamera() && (
        <button type="button" onClick={() => setWatched('camera')}>
          {texts.watch.camera}
        </button>
      )}
      <Failure sentence={failure} />
    </>
  );
}

async function watchFolder(folder: FolderHandle, onFiles: WatchProps['onFiles'], signal: AbortSignal): Promise<void> {
  const seen = new Set<string>();
  while (!signal.aborted) {
    const fresh: File[] = [];
    for await (const entry of folder.values()) {
      if (entry.kind !== 'file' || !isPictureName(entry.name) || seen.has(entry.name)) continue;
      const file = await entry.getFile();
      // A file that is still being written is looked at again.
      if (file.size === 0 || Date.now() - file.lastModified < EVERY_MS / 2) continue;
      seen.add(entry.name);
      fresh.push(file);
    }
    if (fresh.length > 0) onFiles(fresh);
    await pause(signal);
  }
}

async function watchCamera(
  video: HTMLVideoElement | null,
  onFiles: WatchProps['onFiles'],
  signal: AbortSignal,
): Promise<void> {
  if (!video) return;
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
  signal.addEventListener('abort', () => {
    for (const track of stream.getTracks()) track.stop();
  });
  video.srcObject = stream;
  while (!signal.aborted) {
    await pause(signal);
    if (signal.aborted || video.videoWidth === 0) continue;
    const name = `frame-${new Date().toISOString().replace(/[:.]/g, '-').slice(0, 19)}.png`;
    const blob = await encodePicture(pixelsOf(name, video, video.videoWidth, video.videoHeight), 'image/png');
    onFiles([new File([blob], name, { type: 'image/png' })]);
  }
}

function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, EVERY_MS);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
