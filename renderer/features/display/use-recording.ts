// Records the guest's screen as WebM, with the pointer; nothing leaves this window but the file the user gets.
import { useCallback, useEffect, useRef, useState } from "react";
import { download } from "../../ui/download.ts";
import { recordedPicture } from "./recorded-picture.ts";

const FRAMES_PER_SECOND = 15;
const TYPE = "video/webm";

export function useRecording(fileName: string) {
  const recorder = useRef<MediaRecorder | null>(null);
  const [recording, setRecording] = useState(false);

  const stop = useCallback(() => recorder.current?.stop(), []);
  useEffect(() => stop, [stop]);

  const start = useCallback(
    (canvas: HTMLCanvasElement) => {
      const chunks: Blob[] = [];
      const picture = recordedPicture(canvas, FRAMES_PER_SECOND);
      const made = new MediaRecorder(picture.canvas.captureStream(FRAMES_PER_SECOND), { mimeType: TYPE });
      made.ondataavailable = ({ data }) => chunks.push(data);
      made.onstop = () => {
        recorder.current = null;
        setRecording(false);
        picture.stop();
        for (const track of made.stream.getTracks()) track.stop();
        const stamp = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
        download(`${fileName} ${stamp}.webm`, new Blob(chunks, { type: TYPE }));
      };
      recorder.current = made;
      // In pieces, so that a long recording does not wait for its end in the recorder.
      made.start(5000);
      setRecording(true);
    },
    [fileName],
  );
  return { recording, start, stop };
}
