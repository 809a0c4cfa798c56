import { connecting, idle } from "./connections.ts";
import { fanOut } from "./fan-out.ts";
import { moreChats, moreConnections } from "./growth.ts";
import { instances } from "./instances.ts";
import { latency, latencyOfListeners } from "./latency.ts";
import { moreMembers } from "./members.ts";
import type { Scenario } from "./scenario.ts";
import { smallChats } from "./small-chats.ts";

/** In the order of the document. */
export const SCENARIOS: readonly Scenario[] = [
  fanOut,
  smallChats,
  latency,
  latencyOfListeners,
  idle,
  connecting,
  moreConnections,
  moreChats,
  moreMembers,
  instances,
];
