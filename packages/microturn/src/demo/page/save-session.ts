// Saves a session as a page of its own: packed by a worker, handed over as a download.

import type { SessionTrace } from "@microturn/core";

/** @throws Error if it cannot be packed */
export async function saveSession(trace: SessionTrace): Promise<void> {
  const page = await pack(trace);
  const url = URL.createObjectURL(new Blob([page], { type: "text/html" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `microturn-${trace.header.startedAt.slice(0, 19).replaceAll(":", "-")}.html`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

async function pack(trace: SessionTrace): Promise<string> {
  const worker = new Worker("/save-worker.js", { type: "module" });
  try {
    return await new Promise<string>((resolve, reject) => {
      worker.addEventListener("message", ({ data }: MessageEvent<string | { readonly failure: string }>) => {
        if (typeof data === "string") resolve(data);
        else reject(new Error(data.failure));
      });
      worker.addEventListener("error", ({ message }) => reject(new Error(message || "its worker does not start")));
      worker.postMessage(trace);
    });
  } finally {
    worker.terminate();
  }
}
