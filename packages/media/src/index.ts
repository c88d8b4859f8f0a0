// The public names of @microturn/media, written by hand: adding one is a decision.

export { attachCamera, type Camera, type CameraOptions, type CameraState } from "./camera.js";
export type { HeardPosition } from "./heard-track.js";
export type { MediaUnavailableReason } from "./media-devices.js";
export { attachMicrophone, type Microphone, type MicrophoneOptions, type MicrophoneState } from "./microphone.js";
export type { AudioState } from "./session-audio.js";
export { attachSpeaker, type Speaker, type SpeakerOptions, type SpeakerStatistics } from "./speaker.js";
