// A page that plays before its user has touched it: it tells by the console what becomes of that.

import { DuplexSession } from "@microturn/core";
import { scriptedEngine } from "@microturn/core/testing";
import { attachSpeaker } from "../index.js";

const session = await DuplexSession.open({ engine: scriptedEngine() });
const speaker = attachSpeaker(session, { onStateChange: (state) => console.info(`now: ${state}`) });
await speaker.ready;
console.info("ready");
setTimeout(() => console.info(`after a while: ${speaker.state}`), 500);
