/** The doctor as a function: a command line in, a text and an exit code out. */
import { writeFile } from "node:fs/promises";
import { loadAdapter } from "../../src/upstream/adapter/load.ts";
import { AdaptedProbe } from "./adapted-probe.ts";
import { draftAdapter } from "./draft.ts";
import { checkHistory } from "./history.ts";
import { CHAT, CHATS, Examination, MARK_CHAT_READ, MARK_READ, MESSAGES, PROFILE, SEND } from "./examination.ts";
import { HELP, parseOptions, UsageError, type Options } from "./options.ts";
import { checkPace } from "./pace.ts";
import { nameOf, Probe, type Prober } from "./probe.ts";
import {
  checkChat,
  checkChats,
  checkEscapes,
  checkLastMessage,
  checkListed,
  checkOutsider,
  checkProfile,
} from "./reading.ts";
import { Report } from "./report.ts";
import { checkWriting } from "./writing.ts";

export interface Diagnosis {
  /** 0: nothing is wrong; 1: something is; 2: the command line is. */
  readonly exitCode: 0 | 1 | 2;
  /** Ends with a line break. The tokens are not in it. */
  readonly output: string;
}

/** Runs the checks that `args`, the words after the program's name, ask for. */
export async function runDoctor(args: readonly string[]): Promise<Diagnosis> {
  try {
    const options = parseOptions(args);
    return options === undefined ? { exitCode: 0, output: HELP } : await examineApi(options);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { exitCode: 2, output: `${error.message} --help tells more.\n` };
  }
}

async function examineApi(options: Options): Promise<Diagnosis> {
  const { adapter, json, url, writeAdapter } = options;
  const report = new Report();
  await using probe: Prober = await proberOf(options);
  const examination = new Examination(options, probe, report);
  await runChecks(examination);
  if (writeAdapter !== undefined) await writeDraft(writeAdapter, examination);
  const title = `The REST API at ${url}${adapter === undefined ? "" : `, through ${adapter}`}`;
  const text = json
    ? `${JSON.stringify({ url, adapter, ...report.toJSON() }, null, 2)}\n`
    : `${title}\n\n${report.toString()}\n`;
  // An API may answer with what it was sent.
  const secrets = [options.token, options.otherToken].filter((token) => token !== undefined);
  const output = secrets.reduce((shown, token) => shown.replaceAll(token, "…"), text);
  return { exitCode: report.passed ? 0 : 1, output };
}

async function proberOf(options: Options): Promise<Prober> {
  if (options.adapter === undefined) return new Probe(options);
  try {
    return new AdaptedProbe(await loadAdapter(options.adapter), options);
  } catch (error) {
    const { message, cause } = error instanceof Error ? error : new Error(String(error));
    const reason = cause instanceof Error ? `: ${cause.message}` : "";
    throw new UsageError(`--adapter: ${message.replace(/^HTTP_API_ADAPTER: /, "")}${reason}.`, { cause: error });
  }
}

/** Never over a file that is there. */
async function writeDraft(path: string, { samples, report }: Examination): Promise<void> {
  try {
    await writeFile(path, draftAdapter(samples), { flag: "wx" });
    report.right("adapter", `a draft is in ${path}: complete it, then examine the API through it with --adapter`);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    report.wrong("adapter", {
      what: `no draft was written to ${path} (${code})`,
      advice: "Name a file that is not there yet.",
    });
  }
}

async function runChecks(examination: Examination): Promise<void> {
  if (!(await isWorthwhile(examination))) return;
  const { userId, name } = await checkProfile(examination);
  const { chats, isRead } = await checkChats(examination, userId);
  const listed = chats.find(({ lastMessage }) => (lastMessage ?? undefined) !== undefined) ?? chats[0];
  const chatId = examination.options.chatId ?? listed?.id;
  if (chatId === undefined) {
    const why = isRead
      ? "there is no chat in GET /chats; give the --token of somebody who is in one."
      : "no chat was found in what GET /chats answers, for the reason above; name one with --chat.";
    for (const endpoint of [CHAT, MESSAGES, SEND, MARK_READ, MARK_CHAT_READ]) examination.unchecked(endpoint, why);
    return checkPace(examination, undefined);
  }
  await checkChat(examination, chatId, userId);
  await checkEscapes(examination, chatId);
  await checkListed(examination, chats, userId);
  const { messages, complete, faultless } = await checkHistory(examination, chatId);
  const examined = chats.find(({ id }) => id === chatId);
  if (examined && complete && faultless) checkLastMessage(examination, examined, messages);
  const foreignChatId = await checkOutsider(examination, chats);
  await checkPace(examination, chatId);
  if (examination.options.write) return checkWriting(examination, { chatId, userId, name, messages, foreignChatId });
  for (const endpoint of [SEND, MARK_READ, MARK_CHAT_READ]) examination.unchecked(endpoint, "--write is not given.");
}

/** Whether anything would be found out that the first answer does not say already. */
async function isWorthwhile(examination: Examination): Promise<boolean> {
  const outcome = await examination.ask(PROFILE);
  if (outcome.kind === "unconnected") {
    examination.wrong(PROFILE, {
      what: `could not connect (${outcome.code})`,
      advice: "Is the API running, and --url its address as seen from here? The gateway would not reach it either.",
    });
  } else if (outcome.kind === "answered" && outcome.status === 401) {
    examination.wrong(PROFILE, {
      what: "answered 401 to the given token",
      advice: "Is it valid still, and of this deployment? The gateway would close the connection with 4403.",
    });
  } else {
    return true;
  }
  for (const endpoint of [CHATS, CHAT, MESSAGES, SEND, MARK_READ, MARK_CHAT_READ]) {
    examination.report.unchecked(nameOf(endpoint), `${nameOf(PROFILE)} comes first.`);
  }
  return false;
}
