// What becomes of a tool's result in the page web-generated-ui: a component if it is what the tool promises, else plain text.

import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { describe, expect, it } from "vitest";
import { Result } from "../web-generated-ui/result.js";

const html = (name: string, result: unknown) => renderToStaticMarkup(createElement(Result, { name, result }));

const paris = {
  ...{ city: "Paris", celsius: 14, sky: "light rain" },
  hours: [
    { hour: 6, celsius: 9 },
    { hour: 12, celsius: 14 },
    { hour: 18, celsius: 12 },
  ],
};

describe("a tool's result in a page", () => {
  it("is drawn by the component of its tool", () => {
    expect(html("weather", paris)).toMatch(
      /Paris: <b class="degrees">14 °C<\/b> light rain.*<title>From 9 to 14 °C .*<polyline points="16.0,64.0 150.0,16.0 284.0,35.2"/s,
    );
    const items = [
      { title: "buy milk", done: false },
      { title: "call mom", done: true },
    ];
    expect(html("list_items", { items })).toMatch(/^<ul><li><label><input type="checkbox"[^>]*\/> buy milk.* call mom/);
    expect(html("list_items", { items }).match(/checked/g)).toHaveLength(1);
    expect(html("delete_item", { items: [] })).toBe("<ul></ul>");
  });

  it("is drawn also where a day has one hour, or one temperature", () => {
    const points = (hours: typeof paris.hours) => /points="([^"]*)"/.exec(html("weather", { ...paris, hours }))?.[1];
    expect(points([{ hour: 6, celsius: 9 }])).toBe("16.0,64.0");
    expect(points(paris.hours.map(({ hour }) => ({ hour, celsius: 9 })))).toBe("16.0,64.0 150.0,64.0 284.0,64.0");
  });

  it("is plain text if it is not of the shape that the tool promises", () => {
    for (const broken of [{ ...paris, celsius: "[removed]" }, { ...paris, hours: [] }, null, undefined, "14 °C"]) {
      expect(html("weather", broken)).toMatch(/^<pre class="plain">/);
    }
    expect(html("weather", { ...paris, celsius: "[removed]" })).toContain("&quot;celsius&quot;: &quot;[removed]&quot;");
  });

  it("is plain text if no component is for it, whatever the tool is called", () => {
    for (const name of ["add_item", "toString", "constructor", "__proto__", ""]) {
      expect(html(name, "added: tea")).toBe('<pre class="plain">added: tea</pre>');
    }
  });

  it("never is HTML of the page", () => {
    const evil = "<img src=x onerror=alert(1)>";
    for (const shown of [
      html("weather", { ...paris, city: evil, sky: evil }),
      html("list_items", { items: [{ title: evil, done: false }] }),
      html("add_item", evil),
      html("weather", { evil }),
    ]) {
      expect(shown).toContain("&lt;img src=x");
      expect(shown).not.toContain("<img");
    }
  });
});
