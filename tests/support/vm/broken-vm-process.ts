// A VM process that falls over while it starts.
throw new TypeError("the module is broken");
