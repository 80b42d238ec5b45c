// Failures of disk images as the user reads them: which file, which field of it, what to do.
import { AppError, type AppErrorDetails } from "../common/errors.ts";

/** The image can't be what it claims to be. */
export function invalidImage(file: string, field: string, problem: string, details: AppErrorDetails = {}): AppError {
  return new AppError("INVALID_FILE", `${file} is not a usable disk image: ${field} ${problem}`, {
    file,
    field,
    consequence: "The image was not opened and nothing was changed.",
    ...details,
  });
}

/** The image may be fine, but uses a feature this implementation doesn't have. */
export function unsupportedImage(file: string, field: string, problem: string, remedy: string): AppError {
  return new AppError("UNSUPPORTED", `${file} can't be used: ${problem}`, { file, field, remedy });
}

/** Damage found while the image was in use. */
export function corruptImage(file: string, field: string, problem: string): AppError {
  return new AppError("INVALID_FILE", `${file} is damaged: ${field} ${problem}`, {
    file,
    field,
    consequence: "The disk takes no more writes, so that the damage doesn't spread.",
    remedy: "Restore a snapshot, or repair the machine with `terrarium verify NAME --repair`.",
  });
}
