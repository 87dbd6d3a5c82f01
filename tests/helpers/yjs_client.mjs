// Yjs clients as applications run them, driven by JSON lines: a command on stdin, its answer on stdout.
import { createInterface } from "node:readline";
import { HocuspocusProvider, HocuspocusProviderWebsocket } from "@hocuspocus/provider";
import WebSocket from "ws";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";

const WAIT_MS = 20_000;
const RECONNECT_MS = 100;
const SYNC_STATUS = 8; // of Hocuspocus
const DENIED = 0;

/** One document with its provider, and everything that was heard. A condition is looked at when
 * something happens, never by the clock. */
class Client {
  constructor({ headers = {} }) {
    this.doc = new Y.Doc();
    this.content = this.doc.getText("text");
    this.entries = this.doc.getMap("map");
    this.frames = { text: 0, binary: 0 };
    this.opened = [];
    this.closes = [];
    this.errors = [];
    this.refusals = [];
    this.waiting = new Set();
    this.doc.on("update", () => this.happened());
    this.Socket = recorded(this, headers);
  }

  get text() { return this.content.toString(); }
  get length() { return this.content.length; }
  get delta() { return this.content.toDelta(); }
  get map() { return this.entries.toJSON(); }
  get clocks() { return Object.fromEntries(Y.decodeStateVector(Y.encodeStateVector(this.doc))); }
  get id() { return this.doc.clientID; }
  get awareness() { return Object.fromEntries(this.provider.awareness.getStates()); }
  get others() {
    return [...this.provider.awareness.getStates()].filter(([id]) => id !== this.id).map(([, state]) => state);
  }
  get synced() { return this.provider.synced; }

  /** Whether it has everything that a state vector counts. */
  knows(clocks) {
    const own = this.clocks;
    return Object.entries(clocks).every(([id, clock]) => (own[id] ?? 0) >= clock);
  }

  listen(provider, names) {
    this.provider = provider;
    for (const name of names) provider.on(name, () => this.happened());
    provider.awareness.on("update", () => this.happened());
  }

  happened() {
    for (const look of [...this.waiting]) look();
  }

  until(condition) {
    const holds = new Function("it", `return (${condition});`);
    if (holds(this)) return undefined;
    return new Promise((resolve, reject) => {
      const end = (settle, value) => {
        clearTimeout(timer);
        this.waiting.delete(look);
        settle(value);
      };
      const look = () => { if (holds(this)) end(resolve); };
      const late = () => end(reject, new Error(`not within ${WAIT_MS} ms: ${condition}; ${this.summary()}`));
      const timer = setTimeout(late, WAIT_MS);
      this.waiting.add(look);
    });
  }

  summary() {
    const names = ["text", "clocks", "synced", "frames", "closes", "errors", "refusals", "awareness"];
    return JSON.stringify(Object.fromEntries(names.map((name) => [name, this[name]]))).slice(0, 2_000);
  }
}

class YWebsocketClient extends Client {
  constructor({ url, room, protocols, params, ...options }) {
    super(options);
    const settings = { protocols, params, WebSocketPolyfill: this.Socket, disableBc: true };
    const provider = new WebsocketProvider(url, room, this.doc, { ...settings, maxBackoffTime: RECONNECT_MS });
    this.listen(provider, ["status", "sync", "closed"]);
  }

  get connected() { return this.provider.wsconnected; }
  connect() { this.provider.connect(); }
  disconnect() { this.provider.disconnect(); }
  destroy() { this.provider.destroy(); }
}

class HocuspocusClient extends Client {
  constructor({ url, room, token, shares, ...options }) {
    super(options);
    const delays = { delay: RECONNECT_MS, minDelay: RECONNECT_MS, maxDelay: RECONNECT_MS };
    this.owns = shares === undefined;
    this.shared = this.owns
      ? new HocuspocusProviderWebsocket({ url, WebSocketPolyfill: this.Socket, ...delays })
      : clients.get(shares).shared;
    this.denied = 0;
    const settings = { websocketProvider: this.shared, name: room, token, document: this.doc };
    this.listen(new HocuspocusProvider(settings), [
      "status", "synced", "authenticated", "unsyncedChanges", "close",
    ]);
    this.provider.on("authenticationFailed", ({ reason }) => { this.refusals.push(reason); this.happened(); });
    this.provider.on("message", ({ message }) => this.count(message));
    this.provider.attach();
  }

  count(message) {
    message.readVarString();
    if (message.readVarUint() === SYNC_STATUS && message.readVarUint() === DENIED) {
      this.denied += 1;
      this.happened();
    }
  }

  get connected() { return this.shared.status === "connected"; }
  get scope() { return this.provider.authorizedScope; }
  get unsynced() { return this.provider.unsyncedChanges; }
  connect() { return this.shared.connect(); }
  disconnect() { this.shared.disconnect(); }
  destroy() {
    this.provider.destroy();
    if (this.owns) this.shared.destroy();
  }
}

/** `ws` with headers, which a browser could not send, and an ear. */
function recorded(client, headers) {
  return class extends WebSocket {
    constructor(address, protocols = []) {
      super(address, protocols, { headers });
      client.socket = this;
      this.on("open", () => client.opened.push(this.protocol));
      this.on("message", (_, binary) => { client.frames[binary ? "binary" : "text"] += 1; });
      this.on("error", (error) => { client.errors.push(error.message); client.happened(); });
      this.on("close", (code, reason) => { client.closes.push([code, reason.toString()]); client.happened(); });
    }
  };
}

const kinds = { "y-websocket": YWebsocketClient, hocuspocus: HocuspocusClient };
const clients = new Map();

// y-websocket tells of a refused write by a warning, and by nothing else.
console.warn = (warning) => {
  for (const client of clients.values()) {
    if (warning.includes(client.provider.url)) client.refusals.push(warning.split("\n")[1]);
    client.happened();
  }
};

/** An index: a whole number as it is, another one as a part of the length; in no surrogate pair. */
function indexOf(content, at) {
  if (Number.isInteger(at)) return at;
  const text = content.toString();
  const index = Math.floor(at * text.length);
  return (text.codePointAt(index - 1) ?? 0) > 0xffff ? index - 1 : index;
}

const edits = {
  insert: ({ content }, at, text, attributes) => content.insert(indexOf(content, at), text, attributes),
  delete({ content }, from, to) {
    const start = indexOf(content, from);
    content.delete(start, Math.max(0, indexOf(content, to) - start));
  },
  format: ({ content }, at, length, attributes) => content.format(at, length, attributes),
  set: ({ entries }, key, value) => entries.set(key, value),
};

const commands = {
  open: (it, { name, kind, ...options }) => { clients.set(name, new kinds[kind](options)); },
  edit: (it, { steps }) => { for (const [edit, ...values] of steps) edits[edit](it, ...values); },
  aware: (it, { state }) => it.provider.awareness.setLocalState(state),
  connect: (it) => { it.connect(); },
  disconnect: (it) => { it.disconnect(); },
  lose: (it) => { it.socket.terminate(); },
  wait: (it, { until }) => it.until(until),
  report: (it, { fields }) => Object.fromEntries(fields.map((field) => [field, it[field]])),
  destroy(it, { name }) {
    it.destroy();
    it.doc.destroy(); // and the awareness, which has a timer
    clients.delete(name);
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { op, ...values } = JSON.parse(line);
  let answer;
  try {
    answer = { value: await commands[op](clients.get(values.name), values) };
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
for (const [name, client] of clients) commands.destroy(client, { name });
