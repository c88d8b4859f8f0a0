// A conversation in a page that Vite bundles. The packages' worker, worklets and WebAssembly are found by the bundler; the model's
// files are served beside the page, by the plugin in vite.config.ts.

import { webEngine } from "@microturn/backend-web";
import { DuplexSession } from "@microturn/core";
import { attachMicrophone, attachSpeaker } from "@microturn/media";

const engine = webEngine({ model: new URL("mini/", document.baseURI) });
const start = document.querySelector<HTMLButtonElement>("#start");
const status = document.querySelector("#status");
const log = document.querySelector("#log");

start?.addEventListener("click", async () => {
  start.disabled = true;
  try {
    const session = await DuplexSession.open({
      engine,
      onProgress: ({ stage, done, total }) => show(`${stage} ${total > 0 ? Math.round((100 * done) / total) : 0} %`),
    });
    session.on("heard-delta", ({ text }) => add("you", text));
    session.on("text-delta", ({ text }) => add("mini", text));
    attachSpeaker(session);
    await attachMicrophone(session);
    show(`listening, on ${engine.choice?.description}`);
  } catch (error) {
    show(error instanceof Error ? error.message : String(error));
    start.disabled = false;
  }
});

function show(text: string): void {
  if (status !== null) status.textContent = text;
}

/** Words of one side go on in its line. */
function add(who: "you" | "mini", text: string): void {
  let line = log?.lastElementChild;
  if (!(line instanceof HTMLElement) || line.dataset.who !== who) {
    line = Object.assign(document.createElement("p"), { textContent: `${who}:` });
    line.setAttribute("data-who", who);
    log?.append(line);
  }
  line.append(` ${text}`);
}
