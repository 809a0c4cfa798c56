/** The scripts of presence. Each `.lua` file documents its keys, arguments and answer. */
import { loadScript } from "../script.ts";

export const ENTER = loadScript(import.meta.url, "presence.lua", "enter.lua");
export const LEAVE = loadScript(import.meta.url, "presence.lua", "leave.lua");
export const SETTLE = loadScript(import.meta.url, "presence.lua", "settle.lua");
export const RETURN = loadScript(import.meta.url, "presence.lua", "return.lua");
export const WITHDRAW = loadScript(import.meta.url, "presence.lua", "withdraw.lua");
export const RELEASE = loadScript(import.meta.url, "presence.lua", "release.lua");
export const ANNOUNCED = loadScript(import.meta.url, "presence.lua", "announced.lua");
export const HEARTBEAT = loadScript(import.meta.url, "heartbeat.lua");
export const RESIGN = loadScript(import.meta.url, "resign.lua");
