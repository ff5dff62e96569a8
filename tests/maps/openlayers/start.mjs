// node start.mjs SCRIPT [ARGUMENT ...]: prints as JSON what the script's default export answers to the arguments.
// OpenLayers reads XML with what a browser has; jsdom has the same.
import { resolve } from "node:path";
import { argv } from "node:process";
import { pathToFileURL } from "node:url";
import { JSDOM } from "jsdom";

const { window } = new JSDOM();
for (const name of ["DOMParser", "XMLSerializer", "Node", "document"]) {
  globalThis[name] = window[name];
}

const [script, ...words] = argv.slice(2);
const { default: answer } = await import(pathToFileURL(resolve(script)));
console.log(JSON.stringify(await answer(...words)));
