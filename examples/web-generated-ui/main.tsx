// A conversation whose answers are also shown: mini runs in a worker and talks, a language model works in the background, and what
// its tools find is drawn as components of this page.

import { webEngine } from "@microturn/backend-web";
import { backgroundModel } from "@microturn/tools";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Conversation } from "./conversation.js";
import { languageModel } from "./language-model.js";
import { tools } from "./tools.js";

const engine = webEngine({ model: new URL("mini/", document.baseURI) });
const background = backgroundModel({ model: await languageModel(), tools });
const root = document.querySelector("#root");

if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <Conversation engine={engine} background={background} />
    </StrictMode>,
  );
}
