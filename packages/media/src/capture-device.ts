// A microphone or camera that may be changed, muted, taken away by the system, or unplugged, while who uses it goes on.

import { DuplexError } from "@microturn/core";
import { listDevices, stopTracks } from "./media-devices.js";

/** What {@link CaptureDevice} is made of. */
export interface CaptureDeviceOptions {
  readonly kind: "audioinput" | "videoinput";
  /** The first stream; one track of the kind in it is used. */
  readonly stream: MediaStream;
  /** Whether the stream was opened by us: it is stopped at the end then. */
  readonly ours: boolean;
  /** Whether the default device may take the place of one that is lost; default true. */
  readonly recovers?: boolean;
  /** Opens another device; without an id the default one. */
  readonly open: (deviceId: string | undefined) => Promise<MediaStream>;
  /** Called with each stream that takes the place of the one before. */
  readonly onStream: (stream: MediaStream) => void;
  /** Called when something about the track has changed. */
  readonly onChange: () => void;
}

/** Holds the track in use. */
export class CaptureDevice {
  readonly #options: CaptureDeviceOptions;
  #stream: MediaStream;
  #track: MediaStreamTrack;
  #ours: boolean;
  #muted = false;
  #closed = false;
  #changing: Promise<unknown> = Promise.resolve();
  #recovering = false;

  constructor(options: CaptureDeviceOptions) {
    this.#options = options;
    this.#stream = options.stream;
    this.#ours = options.ours;
    this.#track = trackOf(options.stream, options.kind);
    this.#watch();
    globalThis.navigator?.mediaDevices?.addEventListener("devicechange", this.#recover);
  }

  get stream(): MediaStream {
    return this.#stream;
  }

  get track(): MediaStreamTrack {
    return this.#track;
  }

  /** `held`: the system mutes it; `lost`: it is unplugged, or its permission was taken back. */
  get state(): "live" | "held" | "lost" {
    if (this.#track.readyState === "ended") return "lost";
    return this.#track.muted ? "held" : "live";
  }

  get muted(): boolean {
    return this.#muted;
  }

  set muted(muted: boolean) {
    this.#muted = muted;
    this.#track.enabled = !muted;
  }

  devices(): Promise<MediaDeviceInfo[]> {
    return listDevices(this.#options.kind);
  }

  /** Goes over to another device; if that fails, the present one stays. @throws DuplexError as `open`, `SESSION_CLOSED` */
  use(deviceId: string | undefined): Promise<void> {
    const change = this.#changing.then(() => this.#change(deviceId));
    this.#changing = change.catch(() => {});
    return change;
  }

  /** Lets the device go. */
  close(): void {
    this.#closed = true;
    this.#unwatch();
    globalThis.navigator?.mediaDevices?.removeEventListener("devicechange", this.#recover);
    if (this.#ours) stopTracks(this.#stream);
    else this.#track.enabled = true;
  }

  async #change(deviceId: string | undefined): Promise<void> {
    this.#requireOpen();
    const stream = await this.#options.open(deviceId);
    if (this.#closed) stopTracks(stream);
    this.#requireOpen();
    this.#unwatch();
    const [before, wasOurs] = [this.#stream, this.#ours];
    this.#stream = stream;
    this.#track = trackOf(stream, this.#options.kind);
    this.#ours = true;
    this.#watch();
    this.#options.onStream(stream);
    if (wasOurs) stopTracks(before);
    this.#options.onChange();
  }

  /** A device was unplugged, or the list of them has changed: goes on with the default one, if there is one. */
  readonly #recover = async (): Promise<void> => {
    const { recovers = true } = this.#options;
    if (this.state !== "lost" || this.#recovering || !this.#ours || !recovers || this.#closed) return;
    this.#recovering = true;
    try {
      await this.#changing;
      const devices = await this.devices();
      if (this.state === "lost" && devices.length > 0) await this.use(undefined);
    } catch {
      // It stays lost; the next change of devices is another chance.
    } finally {
      this.#recovering = false;
    }
  };

  readonly #changed = (): void => {
    this.#options.onChange();
    void this.#recover();
  };

  #watch(): void {
    this.#track.enabled = !this.#muted;
    for (const type of ["ended", "mute", "unmute"]) this.#track.addEventListener(type, this.#changed);
  }

  #unwatch(): void {
    for (const type of ["ended", "mute", "unmute"]) this.#track.removeEventListener(type, this.#changed);
  }

  #requireOpen(): void {
    if (!this.#closed) return;
    throw new DuplexError("SESSION_CLOSED", "use: this device was closed; attach another");
  }
}

function trackOf(stream: MediaStream, kind: "audioinput" | "videoinput"): MediaStreamTrack {
  const track = kind === "audioinput" ? stream.getAudioTracks()[0] : stream.getVideoTracks()[0];
  if (track !== undefined) return track;
  throw new TypeError(`expected a stream with a track of ${kind === "audioinput" ? "audio" : "video"}, got none`);
}
