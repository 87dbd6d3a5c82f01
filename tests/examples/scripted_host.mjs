// What the client is tested against: a host that says what the test says, and time that stands.
import { WebSocket, WebSocketServer } from "ws";
import { connect } from "../../examples/roomhost.js";

export const START_MS = 1_000_000;
export const LIFETIME_MS = 300_000; // of a grant

/** Time that moves when the test moves it. */
export class ManualClock {
  #now = START_MS; #lastId = 0;
  timers = new Map();
  now = () => this.#now;
  setTimeout(callback, ms) {
    this.timers.set(++this.#lastId, { at: this.#now + ms, callback });
    return this.#lastId;
  }
  clearTimeout(id) { this.timers.delete(id); }
  /** Move on, and call what becomes due, in order. */
  advance(ms) {
    const end = this.#now + ms;
    for (;;) {
      const [id, timer] = [...this.timers].sort(([, a], [, b]) => a.at - b.at)[0] ?? [];
      if (!timer || timer.at > end) break;
      this.timers.delete(id);
      this.#now = timer.at;
      timer.callback();
    }
    this.#now = end;
  }
}

/** What comes one by one, to be awaited one by one. */
class Mailbox {
  #items = []; #readers = [];
  put(item) { this.#readers.length ? this.#readers.shift()(item) : this.#items.push(item); }
  take() {
    if (this.#items.length) return Promise.resolve(this.#items.shift());
    return new Promise((resolve) => this.#readers.push(resolve));
  }
}

/** The host's end of one connection. */
class Peer {
  #socket; #frames = new Mailbox();
  constructor(socket, request) {
    this.#socket = socket;
    this.query = Object.fromEntries(new URL(request.url, "http://host").searchParams);
    this.protocols = request.headers["sec-websocket-protocol"].split(",");
    socket.on("message", (data) => this.#frames.put(JSON.parse(String(data))));
    this.gone = new Promise((resolve) => socket.on("close", resolve));
  }
  /** The next frame of the client. */
  frame() { return this.#frames.take(); }
  send(frame) { this.#socket.send(JSON.stringify(frame)); }
  welcome(more = {}) {
    this.send({ type: "welcome", connectionId: "c", memberId: "m", epoch: "1-a", seq: 0, ...more });
  }
  message(seq) { this.send({ type: "message", seq, message: { messageId: `id-${seq}` } }); }
  /** Answer the next frame, and give it back. */
  async ack(result = {}) {
    const frame = await this.frame();
    this.send({ type: "ack", id: frame.id, result });
    return frame;
  }
  close(code) { this.#socket.close(code); }
  /** As a network does that went away. */
  lose() { this.#socket.terminate(); }
}

/** A host, a clock, and a client of them: what each scenario starts from. */
export class Stage {
  clock = new ManualClock();
  grants = 0; // how many were asked for
  states = []; // of the client, with what came with them
  #server; #peers = new Mailbox();

  static async open() {
    const stage = new Stage();
    stage.#server = new WebSocketServer({ port: 0, host: "127.0.0.1",
      handleProtocols: (protocols) => [...protocols][0] });
    stage.#server.on("connection", (...args) => stage.#peers.put(new Peer(...args)));
    await new Promise((resolve) => stage.#server.on("listening", resolve));
    return stage;
  }

  /** The next connection that the client opens. */
  peer() { return this.#peers.take(); }

  grant = async () => {
    const token = `token-${++this.grants}`;
    return { token, protocols: ["roomhost.v1.json", `bearer.${token}`],
      url: `ws://127.0.0.1:${this.#server.address().port}/realtime/x/rooms/y/ws`,
      expiresAt: new Date(this.clock.now() + LIFETIME_MS).toISOString() };
  };

  /** A client; `random` is 0, so it waits for nothing unless a test says so. */
  client(options = {}) {
    const { grant, clock } = this;
    const room = connect({ grant, clock, WebSocket, random: () => 0, ...options });
    room.on("state", (detail) => this.states.push(detail));
    return room;
  }

  /** A client that is online, and the host's end of it. */
  async online(options) {
    const room = this.client(options), peer = await this.peer(), seen = until(room, "welcome");
    peer.welcome();
    await seen;
    return { room, peer };
  }

  /** The client lost its connection and comes back: the host's end of the new one. */
  async again(room) {
    if (room.state !== "waiting") await until(room, "state", ({ state }) => state === "waiting");
    this.clock.advance(0);
    return this.peer();
  }

  close() {
    for (const socket of this.#server.clients) socket.terminate();
    this.#server.close();
  }
}

/** The next event of a type, the next that `test` takes. */
export function until(room, type, test = () => true) {
  return new Promise((resolve) => room.on(type, (detail) => test(detail) && resolve(detail)));
}

/** The error of a promise; one that is fulfilled is an error. */
export async function failure(promise) {
  return promise.then((value) => { throw new Error(`fulfilled: ${value}`); }, (error) => error);
}
