// A VM process of another version of Terrarium.
process.on("message", () => undefined);
process.send?.({ kind: "hello", protocol: 99, pid: process.pid });
