// Names of a server's tools as names of a ToolSet: MCP allows dots, slashes and 128 characters, a ToolSet letters, digits, `_`
// and `-`, at most 64 of them.

const maxLength = 64;

/**
 * The name that a tool is given: the prefix and its own, what is not allowed made `_`, and what is too long ended by a mark of
 * the whole name, so that long names that begin alike stay apart.
 */
export function toolName(name: string, prefix = ""): string {
  const full = `${prefix}${name}`;
  const allowed = full.slice(0, maxLength + 1).replace(/[^A-Za-z0-9_-]/g, "_");
  if (full.length <= maxLength) return allowed;
  return `${allowed.slice(0, maxLength - 9)}_${mark(full)}`;
}

/** FNV-1a of the UTF-16 units, 32 bits, in hexadecimal. */
function mark(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}
