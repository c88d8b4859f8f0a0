// Two helpers for the document: find what the template promises, and make elements from text that is never HTML.

/** The element with this id. @throws Error if the template lacks it or it is of another kind */
export function element<T extends HTMLElement>(id: string, kind: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`page: element #${id} is missing`);
  return found;
}

/** A new element with text and children. */
export function make(tag: string, className = "", content: string | readonly Node[] = ""): HTMLElement {
  const made = document.createElement(tag);
  if (className !== "") made.className = className;
  if (typeof content === "string") made.textContent = content;
  else made.append(...content);
  return made;
}
