// Reads XML from strangers into elements: names without prefixes, attributes and text apart.
import { XMLParser } from "fast-xml-parser";
import { badAppliance } from "./appliance.ts";

const MAX_BYTES = 4 << 20;
const ATTRIBUTES = ":@";
const TEXT = "#text";

export class XmlElement {
  readonly name: string;
  readonly #attributes: Readonly<Record<string, string>>;
  readonly #children: readonly XmlElement[];
  readonly text: string;

  constructor(
    name: string,
    attributes: Readonly<Record<string, string>>,
    children: readonly XmlElement[],
    text: string,
  ) {
    this.name = name;
    this.#attributes = attributes;
    this.#children = children;
    this.text = text;
  }

  attribute(name: string): string | undefined {
    return Object.hasOwn(this.#attributes, name) ? this.#attributes[name] : undefined;
  }

  all(name: string): XmlElement[] {
    return this.#children.filter((child) => child.name === name);
  }

  child(name: string): XmlElement | undefined {
    return this.#children.find((child) => child.name === name);
  }

  /** The first at the end of a path of names. */
  find(...path: readonly string[]): XmlElement | undefined {
    return path.reduce<XmlElement | undefined>((element, name) => element?.child(name), this);
  }

  /** Text of a child; "" where it is not there. */
  textOf(name: string): string {
    return this.child(name)?.text ?? "";
  }

  /** Every element below with this name. */
  descendants(name: string): XmlElement[] {
    return this.#children.flatMap((child) => [...(child.name === name ? [child] : []), ...child.descendants(name)]);
  }
}

/** The document's root element. @throws AppError INVALID_FILE naming `file` */
export function parseXml(text: string, file: string): XmlElement {
  if (text.length > MAX_BYTES) throw badAppliance(file, "is larger than any description of a machine");
  // Descriptions have no use for entities of their own, which can grow without bounds.
  if (/<!DOCTYPE|<!ENTITY/i.test(text)) throw badAppliance(file, "declares entities of its own");
  const parser = new XMLParser({
    ...{ preserveOrder: true, ignoreAttributes: false, attributeNamePrefix: "", removeNSPrefix: true },
    ...{ parseTagValue: false, parseAttributeValue: false, ignoreDeclaration: true, ignorePiTags: true },
  });
  let nodes: unknown;
  try {
    nodes = parser.parse(text.replace(/^\uFEFF/, ""), true);
  } catch (error) {
    throw badAppliance(file, `is not XML: ${error instanceof Error ? error.message : String(error)}`);
  }
  const [root] = elementsOf(nodes);
  if (!root) throw badAppliance(file, "has no content");
  return root;
}

function elementsOf(nodes: unknown): XmlElement[] {
  if (!Array.isArray(nodes)) return [];
  return nodes.flatMap((node: Record<string, unknown>) => {
    const name = Object.keys(node).find((key) => key !== ATTRIBUTES && key !== TEXT);
    if (name === undefined) return [];
    const attributes = (node[ATTRIBUTES] ?? {}) as Record<string, string>;
    return [new XmlElement(name, attributes, elementsOf(node[name]), textOf(node[name]))];
  });
}

function textOf(nodes: unknown): string {
  if (!Array.isArray(nodes)) return "";
  return nodes
    .map((node: Record<string, unknown>) => node[TEXT] ?? "")
    .join("")
    .trim();
}
