// Which device computes, how fast it is, and why others were passed over.

import type { DeviceChoice } from "@microturn/backend-web";
import { make } from "../../viewer/page/dom.js";

/** Shows the device in use in a panel. */
export function showDevice(panel: HTMLElement, { description, passedOver, calibration }: DeviceChoice): void {
  const speed = `${calibration.turnMs.toFixed(0)} ms per micro-turn when it was tried`;
  const others = passedOver.map(({ device, reason, fix }) =>
    make("li", "", `${deviceNames[device]}: ${reason}. To get it, ${fix}.`),
  );
  panel.replaceChildren(
    make("span", "", description),
    make("small", "muted", speed),
    ...(others.length === 0 ? [] : [make("ul", "passed-over", others)]),
  );
}

const deviceNames = { webgpu: "WebGPU", wasm: "WebAssembly" } as const;
