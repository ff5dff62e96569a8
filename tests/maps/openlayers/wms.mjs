// The names of the layers that a WMS capabilities document offers, in its order. `file`: where it lies.
import { readFile } from "node:fs/promises";
import WMSCapabilities from "ol/format/WMSCapabilities.js";

export default async function (file) {
  const found = new WMSCapabilities().read(await readFile(file, "utf8"));
  return named(found.Capability.Layer);
}

const named = (layer) => [...(layer.Name ? [layer.Name] : []), ...(layer.Layer ?? []).flatMap(named)];
