// What a tool has given, as a component: by the name of the tool, and only if it is of the shape that the tool promises. All else is
// shown as plain text. React writes values as text, never as HTML, so that nothing a tool gives becomes part of the page's own code.

import type { Tool } from "@microturn/tools";
import type { ComponentType, ReactNode } from "react";
import { z } from "zod";
import { CheckList } from "./check-list.js";
import { tools } from "./tools.js";
import { WeatherCard } from "./weather-card.js";

/** Gives the component for a result; undefined if it is not of the shape that the tool promises. */
type Drawing = (result: unknown) => ReactNode | undefined;

const drawings: { readonly [Name in keyof typeof tools]?: Drawing } = {
  weather: drawing(tools.weather, WeatherCard),
  list_items: drawing(tools.list_items, CheckList),
  delete_item: drawing(tools.delete_item, CheckList),
};

/** The component has to take what the tool gives: the compiler looks at the types, and the tool's schema at each result. */
function drawing<Output>(
  { outputSchema }: Pick<Tool<never, Output>, "outputSchema">,
  Card: ComponentType<{ readonly result: Output }>,
): Drawing {
  if (!(outputSchema instanceof z.ZodType)) throw new TypeError("drawing: expected a tool with a Zod outputSchema");
  return (result) => {
    // The tool's own results were looked at when they came. What is shown may have lost a secret since, or come from another version.
    const { success, data } = outputSchema.safeParse(result);
    return success ? <Card result={data as Output} /> : undefined;
  };
}

/** A result in its component, or as plain text. */
export function Result({ name, result }: { readonly name: string; readonly result: unknown }) {
  const draw = Object.hasOwn(drawings, name) ? drawings[name as keyof typeof tools] : undefined;
  return draw?.(result) ?? <PlainText value={result} />;
}

/** Any value, as it is. */
export function PlainText({ value }: { readonly value: unknown }) {
  return <pre className="plain">{typeof value === "string" ? value : JSON.stringify(value, null, 2)}</pre>;
}
