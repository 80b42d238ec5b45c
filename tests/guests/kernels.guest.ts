// Each of Debian's kernels for this processor, alone and with several vCPUs: minutes, so part of `npm run guests`.
import { bootsToShell } from "./kernels.ts";

bootsToShell([
  { flavour: "amd64", vcpuCount: 1, machine: "x86_64", model: "x86-64-v2" },
  { flavour: "amd64", vcpuCount: 4, machine: "x86_64", model: "x86-64-v2" },
  { flavour: "cloud-amd64", vcpuCount: 1, machine: "x86_64", model: "x86-64-v2" },
  { flavour: "cloud-amd64", vcpuCount: 4, machine: "x86_64", model: "x86-64-v2" },
  // Idle vCPUs sleep in MWAIT, and their state is saved by XSAVES.
  { flavour: "cloud-amd64", vcpuCount: 4, machine: "x86_64", model: "max" },
  { flavour: "686-pae", vcpuCount: 1, machine: "i686", model: "x86-64-v2" },
  { flavour: "686-pae", vcpuCount: 4, machine: "i686", model: "x86-64-v2" },
]);
