// The camera of a session, or its screen: the newest image before each border, small enough for the model's budget.
// Images are scaled down as they are read, so that the page never holds more than the model looks at.

import { DuplexError, type DuplexSession } from "@microturn/core";
import { PatchEncoder } from "@microturn/core/codecs";
import { CaptureDevice } from "./capture-device.js";
import { FrameSlots } from "./frame-slots.js";
import { type FrameSource, frameSource } from "./frame-source.js";
import { askForStream, mediaUnavailable, stopTracks, throwIfAborted, throwIfEnded } from "./media-devices.js";

/** What a camera does: `live`; `held` by the system or `lost` (unplugged), which show nothing; `closed`. */
export type CameraState = "live" | "held" | "lost" | "closed";

/** Options of {@link attachCamera}. */
export interface CameraOptions {
  /** Default `camera`. A screen is chosen by the user; when they stop sharing it, it is closed. */
  readonly source?: "camera" | "screen";
  /** One of `devices()`; default the system's. */
  readonly deviceId?: string;
  /** Of a phone: wished; default the browser's choice. */
  readonly facingMode?: "user" | "environment";
  /** A stream of the app's own in place of a device; its tracks are not stopped here. */
  readonly stream?: MediaStream;
  /** Images per micro-turn, 1 … 8; default 2: the two moments that a patch holds. */
  readonly maxImagesPerTurn?: number;
  /** Scales to exactly this size; default the picture that the model looks at, if it has one (`mini`: 39 x 40), unless `maxPatchTokens` is given. */
  readonly size?: { readonly width: number; readonly height: number };
  /** Without a size: patches that an image may become, 1 or more; larger ones are scaled down. Default 54 (320 x 240). */
  readonly maxPatchTokens?: number;
  /** Starts without showing anything; default false. */
  readonly muted?: boolean;
  /** Gives up while it opens, and closes the camera later. */
  readonly signal?: AbortSignal;
  /** Called whenever `state` has changed. */
  readonly onStateChange?: (state: CameraState) => void;
}

/** A camera that a session sees through. */
export interface Camera extends AsyncDisposable {
  readonly state: CameraState;
  /** Shows nothing while true. */
  muted: boolean;
  /** Images given to the session so far. */
  readonly images: number;
  /** What is really in force: size, rate, which way it looks. */
  readonly settings: MediaTrackSettings;
  /** The stream that is seen now: for a preview. */
  readonly stream: MediaStream;
  /** Resolves when it has closed, for any reason. */
  readonly ended: Promise<void>;
  /** Cameras of this machine. */
  devices(): Promise<MediaDeviceInfo[]>;
  /** Goes over to another device. If it fails, the present one stays. @throws DuplexError `MEDIA_UNAVAILABLE`, `SESSION_CLOSED` */
  use(deviceId: string): Promise<void>;
  /** Lets the device go. The session stays open. Double close is fine. */
  close(): Promise<void>;
}

/**
 * Lets a session see. Ask for a screen from a click.
 *
 * @throws RangeError for an option out of its range
 * @throws DuplexError `UNSUPPORTED` if the model sees nothing, `MEDIA_UNAVAILABLE` with `details.reason`, `SESSION_CLOSED`, `ABORTED`
 * @example
 * const camera = await attachCamera(session);
 */
export async function attachCamera(session: DuplexSession, options: CameraOptions = {}): Promise<Camera> {
  const operation = "attachCamera";
  const { maxImagesPerTurn = 2, maxPatchTokens, signal } = options;
  const { inputs, turnDurationMs, image } = session.capabilities;
  if (!Number.isInteger(maxImagesPerTurn) || maxImagesPerTurn < 1 || maxImagesPerTurn > 8) {
    throw new RangeError(`${operation}: maxImagesPerTurn must be a whole number of 1 … 8, got ${maxImagesPerTurn}`);
  }
  const size = options.size ?? (maxPatchTokens === undefined ? image : undefined);
  const sizes = new PatchEncoder(size === undefined ? { maxPatchTokens: maxPatchTokens ?? 54 } : { size });
  throwIfEnded(operation, session);
  if (!inputs.includes("video")) {
    throw new DuplexError(
      "UNSUPPORTED",
      `${operation}: expected an engine that takes video, this one takes ${inputs.join(", ")}; ask session.capabilities first`,
    );
  }
  const stream = options.stream ?? (await openDevice(operation, options, options.deviceId, signal));
  try {
    throwIfAborted(operation, signal);
    throwIfEnded(operation, session);
    return new SessionCamera(session, stream, sizes, new FrameSlots(turnDurationMs, maxImagesPerTurn), options);
  } catch (error) {
    if (options.stream === undefined) stopTracks(stream);
    throw error;
  }
}

function openDevice(
  operation: string,
  { source = "camera", facingMode }: CameraOptions,
  deviceId: string | undefined,
  signal?: AbortSignal,
): Promise<MediaStream> {
  if (source === "screen") {
    return askForStream(
      operation,
      "screen",
      async (devices) => {
        if (typeof devices.getDisplayMedia !== "function") {
          throw mediaUnavailable(
            "unsupported-browser",
            `${operation}: this browser cannot share its screen; use one of a computer`,
          );
        }
        return devices.getDisplayMedia({ video: { frameRate: { ideal: 15 } } });
      },
      signal,
    );
  }
  const video: MediaTrackConstraints = {
    width: { ideal: 640 },
    height: { ideal: 480 },
    frameRate: { ideal: 30 },
    ...(facingMode === undefined ? {} : { facingMode: { ideal: facingMode } }),
    ...(deviceId === undefined ? {} : { deviceId: { exact: deviceId } }),
  };
  return askForStream(operation, "camera", (devices) => devices.getUserMedia({ video }), signal);
}

class SessionCamera implements Camera {
  readonly ended: Promise<void>;
  readonly #session: DuplexSession;
  readonly #options: CameraOptions;
  readonly #sizes: PatchEncoder;
  readonly #slots: FrameSlots;
  readonly #device: CaptureDevice;
  #frames: FrameSource;
  #painter: { readonly context: Painter; readonly width: number; readonly height: number } | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #images = 0;
  #state: CameraState = "live";
  #closing: Promise<void> | undefined;
  #resolveEnded: () => void = () => {};

  constructor(
    session: DuplexSession,
    stream: MediaStream,
    sizes: PatchEncoder,
    slots: FrameSlots,
    options: CameraOptions,
  ) {
    this.#session = session;
    this.#options = options;
    this.#sizes = sizes;
    this.#slots = slots;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.#device = new CaptureDevice({
      kind: "videoinput",
      stream,
      // Only the user can choose a screen again.
      ours: options.stream === undefined,
      recovers: options.source !== "screen",
      open: (deviceId) => openDevice("use", options, deviceId),
      onStream: (next) => {
        this.#frames.stop();
        this.#frames = frameSource(next, this.#frame);
      },
      onChange: () => this.#update(),
    });
    this.muted = options.muted === true;
    this.#frames = frameSource(stream, this.#frame);
    options.signal?.addEventListener("abort", this.#abort, { once: true });
    void session.ended.then(() => this.close());
    this.#update();
  }

  get state(): CameraState {
    return this.#state;
  }

  get muted(): boolean {
    return this.#device.muted;
  }

  set muted(muted: boolean) {
    this.#device.muted = muted;
  }

  get images(): number {
    return this.#images;
  }

  get settings(): MediaTrackSettings {
    return this.#device.track.getSettings();
  }

  get stream(): MediaStream {
    return this.#device.stream;
  }

  devices(): Promise<MediaDeviceInfo[]> {
    return this.#device.devices();
  }

  use(deviceId: string): Promise<void> {
    return this.#device.use(deviceId);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** A frame has come: the picture is taken at the end of its slot, of whatever is newest then. */
  readonly #frame = (): void => {
    if (this.muted || this.#closing !== undefined) return;
    const waitMs = this.#slots.plan(this.#session.timeMs);
    if (waitMs === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#take(), waitMs);
  };

  #take(): void {
    const frame = this.#frames.latest;
    const { timeMs } = this.#session;
    if (frame === undefined || this.muted || this.#closing !== undefined || this.#session.closed) return;
    if (!this.#slots.take(timeMs)) return;
    const { width, height } = this.#sizes.plan(frame.width, frame.height);
    const context = this.#painterFor(width, height);
    context.drawImage(frame.image, 0, 0, width, height);
    const { data } = context.getImageData(0, 0, width, height);
    const ageMs = Math.max(0, Math.min(1000, performance.now() - frame.capturedMs));
    this.#session.writeImage({ data, width, height, timeMs: Math.max(0, timeMs - ageMs) });
    this.#images++;
  }

  #painterFor(width: number, height: number): Painter {
    if (this.#painter?.width !== width || this.#painter.height !== height) {
      this.#painter = { context: painter(width, height), width, height };
    }
    return this.#painter.context;
  }

  readonly #update = (): void => {
    const before = this.#state;
    this.#state = this.#closing === undefined ? this.#device.state : "closed";
    if (this.#state !== before) this.#options.onStateChange?.(this.#state);
    if (this.#state === "lost" && this.#options.source === "screen") void this.close();
  };

  readonly #abort = (): void => {
    void this.close();
  };

  async #close(): Promise<void> {
    await undefined;
    clearTimeout(this.#timer);
    this.#options.signal?.removeEventListener("abort", this.#abort);
    this.#frames.stop();
    this.#device.close();
    this.#update();
    this.#resolveEnded();
  }
}

type Painter = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

/** A canvas that is read back every time, and averages what it scales down. */
function painter(width: number, height: number): Painter {
  const canvas: HTMLCanvasElement | OffscreenCanvas =
    typeof OffscreenCanvas === "function"
      ? new OffscreenCanvas(width, height)
      : Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true, alpha: false }) as Painter | null;
  if (context === null) {
    throw mediaUnavailable("unsupported-browser", "camera: this browser gives no canvas; use a current browser");
  }
  context.imageSmoothingQuality = "high";
  return context;
}
