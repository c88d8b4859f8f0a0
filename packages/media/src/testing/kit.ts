// What the pages of the browser tests can do: our package, core, and a recorder that hears what the loudspeaker gets.

import * as core from "@microturn/core";
import * as coreTesting from "@microturn/core/testing";
import * as media from "../index.js";
import { recordNode } from "./recorder.js";
import { toText } from "./recordings.js";

/** What a page has as `kit`. */
export type MediaKit = typeof media &
  typeof coreTesting & {
    readonly core: typeof core;
    readonly recordNode: typeof recordNode;
    readonly toText: typeof toText;
  };

const kit: MediaKit = { ...media, core, ...coreTesting, recordNode, toText };

Object.assign(globalThis, { kit });
console.info("ready");
