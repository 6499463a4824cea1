import { describe, expect, it } from "vitest";
import { availability, explain, inOrder, seatsLeft } from "./events.js";

describe("availability", () => {
  it("counts the seats that are left", () => {
    expect(seatsLeft({ capacity: 3, sold: 5 })).toBe(0);
    expect(availability({ capacity: 3, sold: 0 })).toBe("3 seats");
    expect(availability({ capacity: 3, sold: 2 })).toBe("last seat");
    expect(availability({ capacity: 3, sold: 3 })).toBe("sold out");
  });
});

describe("inOrder", () => {
  it("puts what comes next first and what is over last", () => {
    const at = (id, starts_at) => ({ id, starts_at });
    const events = [
      at(1, "2030-01-01T00:00:00Z"),
      at(2, "2032-01-01T00:00:00Z"),
      at(3, "2031-06-01T00:00:00Z"),
      at(4, "2030-06-01T00:00:00Z"),
    ];
    const now = Date.parse("2031-01-01T00:00:00Z");
    expect(inOrder(events, now).map((event) => event.id)).toEqual([3, 2, 4, 1]);
  });
});

describe("explain", () => {
  it("speaks to the visitor", () => {
    expect(explain(409, { error: "sold_out" })).toContain("sold out");
    expect(explain(400, { email: ["Enter a valid email address."] })).toBe("Enter a valid email address.");
    expect(explain(502, null)).toContain("502");
  });
});
