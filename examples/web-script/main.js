// A conversation in a page without a bundler: packages are found by the import map of index.html, and their worker, worklets,
// WebAssembly and weights by where their modules are.

import { webEngine } from "@microturn/backend-web";
import { DuplexSession } from "@microturn/core";
import { attachMicrophone, attachSpeaker } from "@microturn/media";
import { mini } from "@microturn/mini";

const engine = webEngine({ model: mini });
const start = document.getElementById("start");
const status = document.getElementById("status");
const log = document.getElementById("log");

start.addEventListener("click", async () => {
  start.disabled = true;
  try {
    const session = await DuplexSession.open({
      engine,
      onProgress: ({ stage, done, total }) => {
        status.textContent = `${stage} ${total > 0 ? Math.round((100 * done) / total) : 0} %`;
      },
    });
    session.on("heard-delta", ({ text }) => add("you", text));
    session.on("text-delta", ({ text }) => add("mini", text));
    attachSpeaker(session);
    await attachMicrophone(session);
    status.textContent = `listening, on ${engine.choice.description}`;
  } catch (error) {
    status.textContent = error.message;
    start.disabled = false;
  }
});

/** Words of one side go on in its line. */
function add(who, text) {
  let line = log.lastElementChild;
  if (line?.dataset.who !== who) {
    line = document.createElement("p");
    line.dataset.who = who;
    line.textContent = `${who}:`;
    log.append(line);
  }
  line.append(` ${text}`);
}
