// Both sides of the contract validate: these plug-ins check requests before they leave and answers when they arrive.
import { RequestValidationPlugin, ResponseValidationPlugin } from "@orpc/contract/plugins";
import { contract } from "../../main/contract/index.ts";

export function linkPlugins() {
  return [new RequestValidationPlugin(contract), new ResponseValidationPlugin(contract)];
}
