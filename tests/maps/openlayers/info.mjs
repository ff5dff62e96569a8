// What OpenLayers reads of GetFeatureInfo in GML: the columns of each feature.
import { readFile } from "node:fs/promises";
import WMSGetFeatureInfo from "ol/format/WMSGetFeatureInfo.js";

export default async function (file) {
  const features = new WMSGetFeatureInfo().readFeatures(await readFile(file, "utf8"));
  return features.map((one) => ({ ...one.getProperties(), boundedBy: undefined, geometry: undefined }));
}
