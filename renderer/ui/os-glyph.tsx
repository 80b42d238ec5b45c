// Own generic pictures for kinds of guest; no trademarks.
import linux from "../../resources/icons/os-linux.svg";
import other from "../../resources/icons/os-other.svg";

export function OsGlyph({ osType, size = 28 }: { readonly osType: string; readonly size?: number }) {
  return <img className="os-glyph" src={osType === "linux" ? linux : other} alt="" width={size} height={size} />;
}
