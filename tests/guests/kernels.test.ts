// The kernel that differs most from those that other tests boot: 32-bit code, segments and paging without PAE.
import { bootsToShell } from "./kernels.ts";

bootsToShell([{ flavour: "686", vcpuCount: 1, machine: "i686", model: "x86-64-v2" }]);
