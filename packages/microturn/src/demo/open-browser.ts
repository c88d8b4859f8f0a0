// Opens a page in the user's browser, where there is one. Whoever runs it has the address on the screen too, so it never fails.

import { spawn } from "node:child_process";

/** The program that opens an address on a system, or undefined where nobody would see the page. */
export function browserCommand(
  platform: NodeJS.Platform,
  env: Readonly<Record<string, string | undefined>>,
  url: string,
): { readonly program: string; readonly args: readonly string[] } | undefined {
  if (platform === "darwin") return { program: "open", args: [url] };
  if (platform === "win32") return { program: "cmd", args: ["/c", "start", "", url] };
  const hasScreen = Boolean(env.DISPLAY) || Boolean(env.WAYLAND_DISPLAY);
  return hasScreen ? { program: "xdg-open", args: [url] } : undefined;
}

/** Opens a page; does nothing where that is not possible. */
export function openBrowser(url: string): void {
  const command = browserCommand(process.platform, process.env, url);
  if (command === undefined) return;
  const child = spawn(command.program, command.args, { detached: true, stdio: "ignore" });
  child.on("error", () => {});
  child.unref();
}
