// Holds an image open for writing, as a VM process does, until it is told to go or killed.
import { NodeImageFile } from "../../native-core/host/node-image-file.ts";

const file = await NodeImageFile.open(process.argv[2] ?? "", { readOnly: false });
process.send?.("open");
process.on("message", () => void file.close().then(() => process.disconnect()));
