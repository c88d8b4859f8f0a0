// A few lines of text beside the pointer, about what it is on. The inspector has the same for those who have no pointer.

/** Shows lines beside a place of the element that holds the tip, on the side where there is room; or nothing. */
export function showTip(
  tip: HTMLElement,
  lines: readonly string[] | undefined,
  at: { readonly x: number; readonly y: number },
  room: { readonly width: number; readonly height: number },
): void {
  tip.hidden = lines === undefined;
  if (lines === undefined) return;
  tip.replaceChildren(
    ...lines.map((line) => {
      const row = document.createElement("p");
      row.textContent = line;
      return row;
    }),
  );
  tip.style.left = `${Math.max(0, Math.min(at.x + 14, room.width - tip.offsetWidth - 4))}px`;
  const below = at.y + 18;
  const above = at.y - tip.offsetHeight - 10;
  tip.style.top = `${below + tip.offsetHeight > room.height && above >= 0 ? above : below}px`;
}
