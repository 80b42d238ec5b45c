// Device states as JSON: plain data, with bigints and byte arrays written as tagged objects.
//   12n  ->  {"$int": "12"}          Uint8Array  ->  {"$bytes": "base64"}

/** Throws TypeError for anything that is not plain data: a device that saves such is a programmer's error. */
export function encodeValue(value: unknown): string {
  return JSON.stringify(value, function (this: Record<string, unknown>, key, converted: unknown) {
    // JSON.stringify has called toJSON by now (Buffer has one): look at the original.
    const original = this[key];
    if (typeof original === "bigint") return { $int: String(original) };
    if (original instanceof Uint8Array) {
      const { buffer, byteOffset, byteLength } = original;
      return { $bytes: Buffer.from(buffer, byteOffset, byteLength).toString("base64") };
    }
    if (typeof original === "function" || typeof original === "symbol") {
      throw new TypeError(`state field ${key} is a ${typeof original}`);
    }
    return converted;
  });
}

/** The inverse. Throws SyntaxError for text that `encodeValue` can't have made. */
export function decodeValue(text: string): unknown {
  // The reviver works from the leaves up, so depth is JSON.parse's own affair.
  return JSON.parse(text, (_key, value: unknown) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    const keys = Object.keys(value);
    const [tag] = keys;
    if (keys.length !== 1 || !tag?.startsWith("$")) {
      if (Object.hasOwn(value, "__proto__")) throw new SyntaxError("a state has no field __proto__");
      return value;
    }
    const content = (value as Record<string, unknown>)[tag];
    if (tag === "$int" && typeof content === "string" && /^-?\d{1,40}$/.test(content)) return BigInt(content);
    if (tag === "$bytes" && typeof content === "string") return new Uint8Array(Buffer.from(content, "base64"));
    throw new SyntaxError(`${tag} is no tag of a state`);
  });
}
