// What other programs ask of the app.
import { describe, expect, it } from "vitest";
import { routeIn, routeOfFile, routeOfLink } from "../../../../main/desktop/requests.ts";
import { placeInRoute } from "../../../../renderer/app/route.ts";

const ID = "0123456789ab";

describe("a link from another program", () => {
  it.each([
    [`terrarium://machine/${ID}`, { kind: "machine", machineId: ID, start: false }],
    [`terrarium://machine/${ID}/`, { kind: "machine", machineId: ID, start: false }],
    [`terrarium://machine/${ID}/start`, { kind: "machine", machineId: ID, start: true }],
  ])("%s is a place of the page", (link, place) => {
    expect(placeInRoute(`#/${routeOfLink(link)}`)).toEqual(place);
  });

  it.each([
    "terrarium://start/0123456789ab",
    "terrarium://machine/../../x",
    "terrarium://machine/0123456789ab/remove",
    "terrarium://open/%2Fetc%2Fpasswd",
    "https://machine/0123456789ab",
    "terrarium://machine/1",
  ])("that is %s is not understood", (link) => expect(routeOfLink(link)).toBeNull());
});

describe("a file from the file manager", () => {
  it.each(["/home/me/A copy & more #1.terrarium", "/x/lab.OVA", "C:\\images\\100 %.iso"])("%s is offered", (file) => {
    expect(placeInRoute(`#/${routeOfFile(file)}`)).toEqual({ kind: "file", file });
  });

  it.each(["/home/me/letter.txt", "/home/me/terrarium", "/bin/sh"])("that is %s is nothing to us", (file) => {
    expect(routeOfFile(file)).toBeNull();
  });

  it("whose name can't be decoded is no place", () => expect(placeInRoute("#/open/%E0%A4%A")).toBeNull());
});

describe("the arguments of a start", () => {
  it("name files from where it happened, among options", () => {
    expect(routeIn([".", "--home", "/data", "lab.ova"], "/home/me")).toBe(
      `open/${encodeURIComponent("/home/me/lab.ova")}`,
    );
    expect(routeIn([".", `terrarium://machine/${ID}`, "lab.ova"], "/")).toBe(`machines/${ID}`);
  });

  it("may ask for nothing", () => {
    expect(routeIn([".", "--hidden", "--file=lab.ova", "terrarium://evil"], "/")).toBeNull();
  });
});

describe("the page", () => {
  it("opens dialogs of the whole app by name, and no others", () => {
    expect(placeInRoute("#/dialog/preferences")).toEqual({ kind: "dialog", dialog: "preferences" });
    expect(placeInRoute("#/dialog/trash")).toBeNull();
    expect(placeInRoute(`#/machines/${ID}/window`)).toBeNull();
  });
});
