import { describe, expect, test } from "vitest";
import type { MachineSummary } from "../../../main/contract/schemas.ts";
import { dropPlace, planDrop, withSiblings } from "../../../renderer/features/machines/drop-plan.ts";
import {
  allGroups,
  type ListRow,
  type ListView,
  listRows,
  machinesBetween,
} from "../../../renderer/features/machines/list-model.ts";
import { rowAt, rowTops } from "../../../renderer/ui/use-virtual-rows.ts";

function machine(id: string, group = ""): MachineSummary {
  return {
    id,
    name: id.toUpperCase(),
    osType: "linux",
    group,
    state: "powered-off",
    currentSnapshotName: null,
    lastFailure: null,
    createdAtMs: 0,
    revision: 1,
  } as MachineSummary;
}

const MACHINES = [machine("a"), machine("b", "Work"), machine("c", "Work/Servers"), machine("d", "Home"), machine("e")];
const VIEW: ListView = { filter: "", order: [], closed: [] };

const shown = (rows: readonly ListRow[]) => rows.map(({ id, depth }) => `${"  ".repeat(depth - 1)}${id}`);
const rowsOf = (view: Partial<ListView> = {}) => listRows(MACHINES, { ...VIEW, ...view });
const rowOf = (id: string) => {
  const row = rowsOf().find((each) => each.id === id);
  if (!row) throw new Error(`no row ${id}`);
  return row;
};

describe("groups in the machine list", () => {
  test("groups come first, nested ones inside, by name", () => {
    expect(shown(rowsOf())).toEqual(["g:Home", "  d", "g:Work", "  g:Work/Servers", "    c", "  b", "a", "e"]);
  });

  test("a closed group shows nothing of what is in it but counts it", () => {
    const rows = rowsOf({ closed: ["Work"] });
    expect(shown(rows)).toEqual(["g:Home", "  d", "g:Work", "a", "e"]);
    expect(rows.find(({ id }) => id === "g:Work")).toMatchObject({ open: false, machines: [{ id: "c" }, { id: "b" }] });
  });

  test("what the user placed comes first in that order, the rest follows by name", () => {
    expect(shown(rowsOf({ order: ["e", "g:Work", "b", "g:Work/Servers"] }))).toEqual([
      "e",
      "g:Work",
      "  b",
      "  g:Work/Servers",
      "    c",
      "g:Home",
      "  d",
      "a",
    ]);
  });

  test("a search opens closed groups and leaves out those without a match", () => {
    expect(shown(rowsOf({ filter: "c", closed: ["Work", "Work/Servers"] }))).toEqual([
      "g:Work",
      "  g:Work/Servers",
      "    c",
    ]);
  });

  test("a range takes the machines between two rows, whatever the direction", () => {
    expect(machinesBetween(rowsOf(), "a", "d")).toEqual(["d", "c", "b", "a"]);
    expect(machinesBetween(rowsOf(), "d", "gone")).toEqual([]);
  });

  test("all groups include those that only hold groups", () => {
    expect(allGroups([machine("x", "One/Two/Three")])).toEqual(["One", "One/Two", "One/Two/Three"]);
  });
});

describe("dropping", () => {
  test("a group takes in with its middle, machines have edges only", () => {
    expect([2, 14, 27].map((offset) => dropPlace(rowOf("g:Work"), offset, 28))).toEqual(["before", "into", "into"]);
    expect([2, 30].map((offset) => dropPlace(rowOf("a"), offset, 44))).toEqual(["before", "after"]);
  });

  test("a machine dropped into a group becomes its last", () => {
    expect(planDrop(rowsOf(), ["a"], rowOf("g:Work"), "into")).toEqual({
      group: "Work",
      machineIds: ["a"],
      renames: [],
      siblings: ["g:Work/Servers", "b", "a"],
    });
  });

  test("a machine dropped beside another goes to its group, at that place", () => {
    expect(planDrop(rowsOf(), ["e", "a"], rowOf("b"), "before")).toMatchObject({
      group: "Work",
      siblings: ["g:Work/Servers", "a", "e", "b"],
    });
  });

  test("a group dropped into another is nested with everything in it", () => {
    expect(planDrop(rowsOf(), ["g:Work"], rowOf("g:Home"), "into")).toEqual({
      group: "Home",
      machineIds: [],
      renames: [["Work", "Home/Work"]],
      siblings: ["d", "g:Home/Work"],
    });
  });

  test("a group is never put into itself or into a group within it", () => {
    expect(planDrop(rowsOf(), ["g:Work"], rowOf("g:Work"), "into")).toBeNull();
    expect(planDrop(rowsOf(), ["g:Work"], rowOf("g:Work/Servers"), "into")).toBeNull();
    expect(planDrop(rowsOf(), ["g:Work"], rowOf("b"), "after")).toBeNull();
  });

  test("dropped below the list it leaves its group", () => {
    expect(planDrop(rowsOf(), ["c"], null, "after")).toMatchObject({
      group: "",
      siblings: ["g:Home", "g:Work", "a", "e", "c"],
    });
  });

  test("the order of other groups stays as it was", () => {
    expect(withSiblings(["x", "a", "y", "b"], ["b", "a"])).toEqual(["x", "y", "b", "a"]);
  });
});

describe("rows in sight", () => {
  test("the row at an offset is found among rows of different heights", () => {
    const tops = rowTops([28, 44, 44, 28]);
    expect([...tops]).toEqual([0, 28, 72, 116, 144]);
    expect([0, 27, 28, 100, 143].map((offset) => rowAt(tops, offset))).toEqual([0, 0, 1, 2, 3]);
  });
});
