// A VM process that never says hello.
process.on("message", () => undefined);
