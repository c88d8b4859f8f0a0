// The size of picture that the model looks at, from its manifest: images are made small before anything else sees them.

import { cachedModel } from "@microturn/backend-web";
import { manifestPath, parseManifest } from "@microturn/core/model";

/** Width and height in pixels; undefined if the model does not say. */
export async function modelPicture(): Promise<{ readonly width: number; readonly height: number } | undefined> {
  const bytes = await cachedModel("/model/").read(manifestPath);
  return parseManifest(new TextDecoder().decode(bytes)).codecs.image;
}
