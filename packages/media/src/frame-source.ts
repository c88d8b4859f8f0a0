// The newest frame of a camera: by MediaStreamTrackProcessor where a page has it (Chrome), else from a video element.

/** A frame that can be drawn, until the next one is there. */
export interface Frame {
  readonly image: CanvasImageSource;
  readonly width: number;
  readonly height: number;
  /** When it was captured, on the clock of `performance.now()`, ms, as far as the browser tells. */
  readonly capturedMs: number;
}

/** Follows a track. */
export interface FrameSource {
  /** The newest frame; undefined before the first. */
  readonly latest: Frame | undefined;
  stop(): void;
}

interface TrackProcessor {
  readonly readable: ReadableStream<VideoFrame>;
}
type TrackProcessorClass = new (options: { track: MediaStreamTrack; maxBufferSize: number }) => TrackProcessor;

/**
 * Follows the frames of a stream.
 *
 * @param stream - its first video track counts
 * @param onFrame - called for every new frame
 */
export function frameSource(stream: MediaStream, onFrame: () => void): FrameSource {
  const { MediaStreamTrackProcessor } = globalThis as { MediaStreamTrackProcessor?: TrackProcessorClass };
  return MediaStreamTrackProcessor === undefined
    ? videoElementFrames(stream, onFrame)
    : processorFrames(new MediaStreamTrackProcessor({ track: stream.getVideoTracks()[0], maxBufferSize: 1 }), onFrame);
}

function processorFrames(processor: TrackProcessor, onFrame: () => void): FrameSource {
  const reader = processor.readable.getReader();
  let newest: VideoFrame | undefined;
  let capturedMs = 0;
  // Frames are stamped on a clock of their own; the one that came here fastest tells how far it is from ours.
  let offsetMs = Number.POSITIVE_INFINITY;
  const read = async () => {
    for (;;) {
      const { done, value } = await reader.read();
      newest?.close();
      newest = value;
      if (done || newest === undefined) return;
      offsetMs = Math.min(offsetMs, performance.now() - newest.timestamp / 1000);
      capturedMs = newest.timestamp / 1000 + offsetMs;
      onFrame();
    }
  };
  // It ends with the track.
  read().catch(() => {});
  return {
    get latest() {
      if (newest === undefined) return undefined;
      return { image: newest, width: newest.displayWidth, height: newest.displayHeight, capturedMs };
    },
    stop() {
      newest?.close();
      newest = undefined;
      reader.cancel().catch(() => {});
    },
  };
}

function videoElementFrames(stream: MediaStream, onFrame: () => void): FrameSource {
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  video.srcObject = stream;
  let capturedMs = 0;
  let stopped = false;
  const next = () => {
    if (stopped) return;
    if (typeof video.requestVideoFrameCallback === "function") video.requestVideoFrameCallback(frame);
    else setTimeout(() => frame(performance.now()), 33);
  };
  const frame = (nowMs: number, metadata?: VideoFrameCallbackMetadata) => {
    capturedMs = metadata?.captureTime ?? nowMs;
    next();
    onFrame();
  };
  next();
  // A page may refuse until it was touched; a stream from a camera that the user allowed is not refused.
  video.play().catch(() => {});
  return {
    get latest() {
      const { videoWidth: width, videoHeight: height } = video;
      return width > 0 && height > 0 ? { image: video, width, height, capturedMs } : undefined;
    },
    stop() {
      stopped = true;
      video.pause();
      video.srcObject = null;
    },
  };
}
