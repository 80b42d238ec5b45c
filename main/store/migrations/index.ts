// All migrations in order. A released one is never edited; a change is a new file and a new line here.
import type { Migration } from "kysely/migration";
import { up as machines } from "./0001-machines.ts";
import { up as snapshots } from "./0002-snapshots.ts";
import { up as storeEvents } from "./0003-store-events.ts";
import { up as preferences } from "./0004-preferences.ts";
import { up as metricSamples } from "./0005-metric-samples.ts";
import { up as clonesAndCare } from "./0006-clones-and-care.ts";
import { up as encryption } from "./0007-encryption.ts";
import { up as exitRates } from "./0008-exit-rates.ts";
import { up as transientSnapshots } from "./0009-transient-snapshots.ts";
import { up as deletedAndDetached } from "./0010-deleted-and-detached.ts";
import { up as networkRates } from "./0011-network-rates.ts";

export const MIGRATIONS: Readonly<Record<string, Migration>> = {
  "0001-machines": { up: machines },
  "0002-snapshots": { up: snapshots },
  "0003-store-events": { up: storeEvents },
  "0004-preferences": { up: preferences },
  "0005-metric-samples": { up: metricSamples },
  "0006-clones-and-care": { up: clonesAndCare },
  "0007-encryption": { up: encryption },
  "0008-exit-rates": { up: exitRates },
  "0009-transient-snapshots": { up: transientSnapshots },
  "0010-deleted-and-detached": { up: deletedAndDetached },
  "0011-network-rates": { up: networkRates },
};
