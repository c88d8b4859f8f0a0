import { describe, expect, it } from "vitest";
import { RateControl } from "./rate-control.js";

const sampleRate = 48_000;
const ms = (count: number) => (count * sampleRate) / 1000;
const control = () => new RateControl({ sampleRate, target: ms(40) });

describe("RateControl", () => {
  it("does nothing until it has seen a whole window, nor within its dead band", () => {
    const rate = control();
    for (let i = 0; i < 7; i++) rate.observe(ms(200), ms(200));
    expect(rate.rate).toBe(1);
    const calm = control();
    for (let i = 0; i < 100; i++) calm.observe(ms(40 + (i % 2 === 0 ? 7 : -7)), ms(200));
    expect(calm.rate).toBe(1);
  });

  it("goes by the least that was left: one late piece counts, early ones do not", () => {
    const rate = control();
    for (let i = 0; i < 20; i++) rate.observe(ms(i % 5 === 0 ? 40 : 160), ms(200));
    expect(rate.rate).toBe(1);
  });

  it("plays faster when too much waits and slower when too little does, by half a percent at most", () => {
    const [long, short] = [control(), control()];
    for (let i = 0; i < 20; i++) {
      long.observe(ms(73), ms(200));
      short.observe(ms(7), ms(200));
    }
    expect(long.rate).toBeCloseTo(1.0033, 6);
    expect(short.rate).toBeCloseTo(0.9967, 6);
    for (let i = 0; i < 20; i++) long.observe(ms(800), ms(200));
    expect(long.rate).toBe(1.005);
  });

  it("ends a correction within its dead band, not at its edge where it would never end", () => {
    const rate = control();
    for (let i = 0; i < 20; i++) rate.observe(ms(50), ms(200));
    expect(rate.excess).toBeCloseTo(ms(10), 6);
    rate.observe(ms(45), ms(200));
    expect(rate.excess).toBeCloseTo(ms(5), 6);
    rate.observe(ms(43.9), ms(200));
    expect(rate.rate).toBe(1);
    for (let i = 0; i < 20; i++) rate.observe(ms(47), ms(200));
    expect(rate.rate).toBe(1);
  });

  it("knows what was corrected by other means, and forgets all on reset", () => {
    const rate = control();
    for (let i = 0; i < 20; i++) rate.observe(ms(73), ms(200));
    expect(rate.excess).toBeCloseTo(ms(33), 6);
    rate.shift(-ms(33));
    expect(rate.excess).toBe(0);
    for (let i = 0; i < 20; i++) rate.observe(ms(73), ms(200));
    rate.reset();
    expect(rate.rate).toBe(1);
  });
});
