// What OpenLayers reads of a WFS answer in GML 3.2: the id, one column and the coordinates of each feature.
import { readFile } from "node:fs/promises";
import GML32 from "ol/format/GML32.js";
import WFS from "ol/format/WFS.js";

export default async function (file, column) {
  const format = new WFS({ version: "2.0.0", gmlFormat: new GML32() });
  const features = format.readFeatures(await readFile(file, "utf8"));
  return features.map((one) => [one.getId(), one.get(column), one.getGeometry().getFlatCoordinates().slice(0, 2)]);
}
