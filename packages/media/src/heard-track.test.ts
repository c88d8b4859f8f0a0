import { describe, expect, it } from "vitest";
import { HeardTrack } from "./heard-track.js";

// Micro-turns of 3200 samples at the engine, 9600 at the player; the resampler is 96 samples late.
const delay = 96;
const sound = (turnIndex: number, fence = 0) => ({ turnIndex, fence, samples: 3200 });

describe("HeardTrack", () => {
  it("knows nothing before anything was heard", () => {
    const track = new HeardTrack(delay);
    track.send(sound(7), 9600);
    expect(track.at(1000)).toBeUndefined();
    track.report(1000, 0, false);
    expect(track.at(1000)).toBeUndefined();
  });

  it("finds the sample between two reports, the delay of the resampler taken off", () => {
    const track = new HeardTrack(delay);
    track.send(sound(7), 9600);
    track.send(sound(8), 9600);
    track.report(1000, 0, true);
    track.report(2000, 1000, true);
    track.report(12_000, 11_000, true);
    expect(track.at(1000 + 96 + 300)).toEqual({ turnIndex: 7, samples: 100, fence: 0 });
    expect(track.at(1000 + 96 + 9600)).toEqual({ turnIndex: 7, samples: 3200, fence: 0 });
    expect(track.at(1000 + 96 + 9600 + 30)).toEqual({ turnIndex: 8, samples: 10, fence: 0 });
  });

  it("stays at the cut after a flush until new sound is heard, also while its reports are still to come", () => {
    const track = new HeardTrack(delay);
    track.send(sound(7), 9600);
    track.report(1000, 128, true);
    track.report(2000, 1128, true);
    track.report(2100, 1228, true);
    track.flush();
    track.report(2200, 1300, false);
    track.send(sound(8, 1), 9600);
    track.report(5000, 9600 + 50, true);
    track.report(6000, 9600 + 1050, true);
    const cut = { turnIndex: 7, samples: Math.round((1300 - 96) / 3), fence: 0 };
    for (const frame of [2200, 3000, 4999]) expect(track.at(frame), `frame ${frame}`).toEqual(cut);
    // The first samples of a stretch are those of an empty resampler.
    expect(track.at(5010)).toEqual(cut);
    expect(track.at(5000 + 46 + 300)).toEqual({ turnIndex: 8, samples: 100, fence: 1 });
  });

  it("passes over what was dropped", () => {
    const track = new HeardTrack(0);
    for (let turn = 0; turn < 5; turn++) track.send(sound(turn), 9600);
    track.report(1000, 1000, true);
    track.report(1128, 40_000, true);
    expect(track.at(1128)).toEqual({ turnIndex: 4, samples: Math.round((40_000 - 4 * 9600) / 3), fence: 0 });
  });

  it("keeps a second or so, however long a session lasts", () => {
    const track = new HeardTrack(delay);
    for (let turn = 0; turn < 20_000; turn++) {
      track.send(sound(turn), 9600);
      track.report(turn * 9600 + 9600, turn * 9600 + 9600, true);
    }
    expect(track.at(20_000 * 9600)).toEqual({ turnIndex: 19_999, samples: 3168, fence: 0 });
    expect(track.at(9600)).toBeUndefined();
  });
});
