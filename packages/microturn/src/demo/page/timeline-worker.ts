// Draws the time line away from the page, whose thread has a conversation to carry: thirty pictures a second are most of its work.

import { DrawnTimeline, type TimelineMessage } from "./drawn-timeline.js";
import { LiveHistory } from "./live-history.js";

const scope = globalThis as unknown as {
  addEventListener(type: "message", listener: (event: MessageEvent<TimelineMessage>) => void): void;
};
let timeline: DrawnTimeline | undefined;

scope.addEventListener("message", ({ data }) => {
  if (data.type === "canvas") timeline = new DrawnTimeline(data.canvas, new LiveHistory(), data.look);
  else timeline?.take(data);
});
