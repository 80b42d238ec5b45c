// What an engine and the network process say about networks; part of the contracts in engine.ts and of the hub's own.
import { z } from "zod";
import { portForwardSchema } from "../config/network-settings.ts";

export const leaseSchema = z.object({ address: z.string(), mac: z.string(), hostName: z.string() });

export const adapterStatusSchema = z.object({
  id: z.string(),
  /** Whether what the cable leads to is there: the network process may be starting again. */
  isPlugged: z.boolean(),
  counters: z.object({
    receivedBytes: z.number(),
    receivedFrames: z.number(),
    sentBytes: z.number(),
    sentFrames: z.number(),
    /** Frames the firewall stopped. */
    deniedFrames: z.number(),
  }),
  /** Addresses this adapter's NAT gave out. */
  leases: z.array(leaseSchema),
  capture: z.object({ file: z.string(), bytes: z.number(), frames: z.number() }).nullable(),
  problems: z.array(z.string()),
});
export type AdapterStatus = z.infer<typeof adapterStatusSchema>;

/** A port of the host that another machine forwards, so that who can't have it may be told who has. */
export const portElsewhereSchema = portForwardSchema
  .pick({ protocol: true, hostAddress: true, hostPort: true })
  .extend({ machineName: z.string() });
export type PortElsewhere = z.infer<typeof portElsewhereSchema>;

export const networkMetricsSchema = z.object({
  receivedBytes: z.number(),
  receivedFrames: z.number(),
  sentBytes: z.number(),
  sentFrames: z.number(),
});
export type NetworkMetrics = z.infer<typeof networkMetricsSchema>;

/** One switch of the network process. */
export const hubNetworkSchema = z.object({
  kind: z.enum(["internal", "host-only"]),
  name: z.string(),
  ports: z.array(z.object({ machineId: z.string(), adapterId: z.string() })),
  /** The host's address and the addresses given out, in a host-only network. */
  hostAddress: z.string().nullable(),
  leases: z.array(leaseSchema),
});
export type HubNetwork = z.infer<typeof hubNetworkSchema>;

/** Main to the network process. */
export const hubInboundSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("listen"), socket: z.string() }),
  z.strictObject({ kind: z.literal("status"), id: z.int() }),
]);
export type HubInbound = z.infer<typeof hubInboundSchema>;

/** The network process to main. */
export const hubOutboundSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("hello") }),
  z.strictObject({ kind: z.literal("listening") }),
  z.strictObject({ kind: z.literal("status"), id: z.int(), networks: z.array(hubNetworkSchema) }),
  z.strictObject({ kind: z.literal("failure"), message: z.string() }),
]);
export type HubOutbound = z.infer<typeof hubOutboundSchema>;
