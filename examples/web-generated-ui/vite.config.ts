// What a page with Microturn asks of Vite, as in ../web-vite; and, for a language model that is no script, the way to it:
//
//   OPENAI_COMPATIBLE_URL=https://api.openai.com/v1 OPENAI_COMPATIBLE_API_KEY=... VITE_BACKGROUND_MODEL=gpt-5-mini npx vite examples/web-generated-ui
//
// Vite puts into the page only what begins with VITE_. The key stays here.

import { defineConfig, mergeConfig, type UserConfig } from "vite";
import base from "../web-vite/vite.config.js";

const { OPENAI_COMPATIBLE_URL: address, OPENAI_COMPATIBLE_API_KEY: key } = process.env;

const proxy: NonNullable<UserConfig["server"]>["proxy"] =
  address === undefined
    ? {}
    : {
        "/model/v1": {
          target: address.replace(/\/$/, ""),
          changeOrigin: true,
          rewrite: (path) => path.replace("/model/v1", ""),
          ...(key === undefined ? {} : { headers: { authorization: `Bearer ${key}` } }),
        },
      };

export default mergeConfig(
  base,
  defineConfig({
    // A file that is not there is not answered with the page.
    appType: "mpa",
    server: { proxy },
    preview: { proxy },
  }),
);
