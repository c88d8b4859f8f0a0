// What the pages of the browser tests can do: our package, core, and a recorder that hears what the loudspeaker gets.

import * as core from "@microturn/core";
import * as coreTesting from "@microturn/core/testing";
import * as media from "../index.js";
import { recordNode } from "./recorder.js";
import { toText } from "./recordings.js";

const kit = { ...media, core, ...coreTesting, recordNode, toText };

/** The names above, as a page has them. */
export type MediaKit = typeof kit;

Object.assign(globalThis, { kit });
console.info("ready");
