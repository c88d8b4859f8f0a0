// The to-do list as it was when the tool gave it.

import type { ToDoList } from "./tools.js";

/** @param props.result - what the tools of the list give */
export function CheckList({ result: { items } }: { readonly result: ToDoList }) {
  return (
    <ul>
      {items.map(({ title, done }) => (
        <li key={title}>
          <label>
            <input type="checkbox" checked={done} disabled readOnly /> {title}
          </label>
        </li>
      ))}
    </ul>
  );
}
