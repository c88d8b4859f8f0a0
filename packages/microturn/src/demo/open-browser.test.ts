import { describe, expect, it } from "vitest";
import { browserCommand } from "./open-browser.js";

describe("browserCommand", () => {
  it("knows how each system opens a page, and that nobody sees one without a screen", () => {
    const url = "http://localhost:1/";
    expect(browserCommand("darwin", {}, url)).toEqual({ program: "open", args: [url] });
    expect(browserCommand("win32", {}, url)).toEqual({ program: "cmd", args: ["/c", "start", "", url] });
    for (const env of [{ DISPLAY: ":0" }, { WAYLAND_DISPLAY: "wayland-0" }]) {
      expect(browserCommand("linux", env, url)).toEqual({ program: "xdg-open", args: [url] });
    }
    expect(browserCommand("linux", { DISPLAY: "" }, url)).toBeUndefined();
  });
});
