// Both sides of the contract validate: these plug-ins check requests before they leave and answers when they arrive. A large answer is
// decoded, checked and shown in tasks of their own, so that the page draws and listens between them.
import type { StandardLinkOptions, StandardLinkPlugin } from "@orpc/client/standard";
import { RequestValidationPlugin, ResponseValidationPlugin } from "@orpc/contract/plugins";
import { contract } from "../../main/contract/index.ts";

const LARGE_ENTRIES = 1000;

const isLongList = (value: unknown): boolean => Array.isArray(value) && value.length >= LARGE_ENTRIES;

/** Whether it is a long list or has one among its members. */
function isLarge(output: unknown): boolean {
  if (typeof output !== "object" || output === null) return false;
  return isLongList(output) || Object.values(output).some(isLongList);
}

const nextTask = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

type Context = Record<never, never>;

/** Lets the page go on before a large answer goes on. */
class PausePlugin implements StandardLinkPlugin<Context> {
  /** Plug-ins of a higher order are nearer to the connection. */
  readonly order: number;

  constructor(order: number) {
    this.order = order;
  }

  init(options: StandardLinkOptions<Context>): void {
    options.interceptors ??= [];
    options.interceptors.push(async ({ next }) => {
      const output = await next();
      if (isLarge(output)) await nextTask();
      return output;
    });
  }
}

export function linkPlugins() {
  const validation = new ResponseValidationPlugin(contract);
  return [
    new PausePlugin(validation.order - 1),
    new RequestValidationPlugin(contract),
    validation,
    new PausePlugin(validation.order + 1),
  ];
}
