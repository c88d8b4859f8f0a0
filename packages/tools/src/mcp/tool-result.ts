// What a call of an MCP tool gave, as something that a model can read: its structured value where there is one, else its text.
// Images, sound and binary resources are named, not carried: a model that reads text has no use for megabytes of base64.

import type { CallToolResult, ContentBlock } from "@modelcontextprotocol/client";
import { oneLine } from "./server-text.js";

/** The value of a call that did not fail: JSON, or text. */
export function toolResult({ structuredContent, content }: CallToolResult): unknown {
  if (structuredContent !== undefined) return structuredContent;
  return contentText(content);
}

/** The parts of a result as text, a line or more each. */
export function contentText(content: readonly ContentBlock[]): string {
  return content.map(partText).join("\n");
}

function partText(part: ContentBlock): string {
  switch (part.type) {
    case "text":
      return part.text;
    case "image":
    case "audio":
      return `[${part.type}, ${oneLine(part.mimeType, 80)}, ${size(part.data)}, left out]`;
    case "resource_link": {
      const about = oneLine(part.description ?? part.title ?? part.name, 300);
      return `[link to ${oneLine(part.uri, 500)}: ${about}]`;
    }
    case "resource": {
      const { resource } = part;
      const of = `resource ${oneLine(resource.uri, 500)}`;
      if ("text" in resource) return `[${of}]\n${resource.text}`;
      return `[${of}, ${oneLine(resource.mimeType ?? "binary", 80)}, ${size(resource.blob)}, left out]`;
    }
  }
}

/** Bytes that base64 stands for, in words. */
function size(base64: string): string {
  const bytes = Math.floor((base64.length * 3) / 4);
  return bytes < 1024 ? `${bytes} bytes` : `${Math.round(bytes / 1024)} KiB`;
}
