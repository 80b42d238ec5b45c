// The two messages between preload and main; everything else goes over the ports that they bring about.

/** Preload to main: `(id, target)`. */
export const REQUEST_PORT = "terrarium:request-port";
/** Main to preload: `(id)` and one port. */
export const PORT = "terrarium:port";
