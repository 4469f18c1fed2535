/** A frame of the camera as a picture. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { pixelsOf } from '../pictures/read.ts';
import { encodePicture } from '../pictures/write.ts';
import { texts } from '../texts.ts';
import { Failure } from './failure.tsx';

interface CameraProps {
  readonly onFrame: (file: File) => void;
  readonly onClose: () => void;
}

/** Does this browser have a camera to ask for? It needs a secure address. */
export const hasCamera = () => Boolean(navigator.mediaDevices?.getUserMedia);

export function Camera({ onFrame, onClose }: CameraProps) {
  const video = useRef<HTMLVideoElement>(null);
  const [failure, setFailure] = useState('');
  const [isReady, setReady] = useState(false);
  useEffect(() => {
    let stream: MediaStream | undefined;
    let isOpen = true;
    navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } }).then(
      (opened) => {
        stream = opened;
        if (!isOpen) stop(opened);
        else if (video.current) video.current.srcObject = opened;
      },
      () => setFailure(texts.failures.camera),
    );
    return () => {
      isOpen = false;
      if (stream) stop(stream);
    };
  }, []);
  const take = async () => {
    if (!video.current) return;
    const { videoWidth, videoHeight } = video.current;
    const name = `camera-${new Date().toISOString().replace(/[:.]/g, '-').slice(0, 19)}.png`;
    const blob = await encodePicture(pixelsOf(name, video.current, videoWidth, videoHeight), 'image/png');
    onFrame(new File([blob], name, { type: 'image/png' }));
  };
  return (
    <div class="camera">
      <Failure sentence={failure} />
      <video ref={video} autoplay muted playsInline aria-label={texts.camera.label} onPlaying={() => setReady(true)} />
      <div class="row centred">
        <button type="button" class="primary" disabled={!isReady} onClick={() => void take()}>
          {texts.camera.take}
        </button>
        <button type="button" onClick={onClose}>
          {texts.camera.close}
        </button>
      </div>
    </div>
  );
}

function stop(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}
