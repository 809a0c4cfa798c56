import { builder } from "./builder.ts";

// Instants are normalised where they enter the gateway; inside and on the way out they are text.
builder.scalarType("DateTime", {
  description: "An instant: ISO 8601, UTC, milliseconds, e.g. 2026-01-31T09:30:00.000Z.",
  serialize: (value) => value,
});
