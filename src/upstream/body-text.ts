/** The text of a body. */
import { isUtf8 } from "node:buffer";

/** A text, and whether every character is the one that was sent. */
export interface BodyText {
  readonly text: string;
  readonly isExact: boolean;
}

/**
 * Decodes a body. JSON is UTF-8; bytes that are not are read in the charset that `contentType` names, as older servers mean it. Where it
 * names none that is known, U+FFFD stands for what cannot be read.
 */
export function textOf(bytes: Buffer, contentType: string | undefined): BodyText {
  if (isUtf8(bytes)) return { text: withoutMark(bytes.toString()), isExact: true };
  const charset = /;\s*charset="?([\w.:-]+)/i.exec(contentType ?? "")?.[1];
  try {
    return { text: new TextDecoder(charset, { fatal: true }).decode(bytes), isExact: true };
  } catch {
    return { text: withoutMark(bytes.toString()), isExact: false };
  }
}

/** A byte order mark is no part of the text. */
function withoutMark(text: string): string {
  return text.charCodeAt(0) === 0xfe_ff ? text.slice(1) : text;
}
