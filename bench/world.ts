/** Synthetic people and chats, by formula: the REST stub answers with them and the load checks deliveries against them. */

/** Users are numbered from 0; `people` is a multiple of `chatSize`. */
export interface World {
  readonly people: number;
  readonly chatSize: number;
  readonly chatsPerUser: number;
}

/** By how many users the groups of one layer of chats are shifted against the layer before. */
const SHIFT = 7;

/** The chats of one user: one of each layer. */
export function chatsOf(world: World, user: number): string[] {
  return Array.from({ length: world.chatsPerUser }, (_, layer) => {
    const place = (user + layer * SHIFT) % world.people;
    return `c${layer}-${Math.floor(place / world.chatSize)}`;
  });
}

/** The users in a chat. */
export function membersOf(world: World, chatId: string): number[] {
  const [layer = 0, group = 0] = chatId.slice(1).split("-").map(Number);
  const first = group * world.chatSize - layer * SHIFT;
  return Array.from({ length: world.chatSize }, (_, index) => modulo(first + index, world.people));
}

export function userId(user: number): string {
  return `u${user}`;
}

export function tokenOf(user: number): string {
  return `t-${userId(user)}`;
}

function modulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}
