/**
 * The reference client of the realtime wire, for browsers and Node. A client in another language
 * does what this file does; what has to be done is said where it is done.
 *
 *     import { connect } from "/roomhost.js";
 *     const grant = async () => (await fetch("/room/lobby/grant", { method: "POST" })).json();
 *     const room = connect({ grant });
 *     room.on("message", ({ seq, message }) => show(message.data.text));
 *     room.on("gap", () => reload());                               // missed, and not replayed
 *     await room.publish({ type: "chat", data: { text: "hi" } });   // resolves once it is on disk
 *
 * `grant()` asks your own server, which answers with what `authorize` gave it: `{url, protocols,
 * token, expiresAt}`. An error of it is retried, unless it carries `retryable === false`.
 *
 * What a connection promises:
 *  - Messages arrive in the order of the room, each once: after a reconnect the client names the
 *    last `seq` it has, the host replays what came since, and a `seq` that was seen is dropped.
 *    Where the host cannot replay, the event `gap` says so: nothing is missing silently.
 *  - What was asked and not answered is asked again on the next connection. A publish has always
 *    an idempotency key, so it is recorded once, however often it is sent. Only `snapshot` and
 *    `restore` would be done twice: they fail with `connection_lost`, and the caller decides.
 *
 * Events: each push of the host by its `type`, with the frame (`message`, `member.joined`,
 * `room.metadata`, ...); `state` {state, error?, waitMs?}; `gap` {reason, epoch, seq}; and `error`
 * {error}, for what belongs to no promise.
 */
const PING_MS = 25_000;
const MISSED_PINGS = 2; // then the connection is dead, whatever the network says
const FIRST_WAIT_MS = 500; // doubles with each failure; what is waited is random up to it
const LONGEST_WAIT_MS = 30_000;
const OPENING_MS = 10_000; // from the socket to its welcome
const STABLE_MS = 5_000; // a connection that lived as long makes good for the failures before it
const REFRESHED_AT = 0.8; // of the lifetime of a grant
const REFRESH_AGAIN_MS = 5_000;
const SHORTEST_LIFETIME_MS = 10_000; // with a wrong clock, too, grants are not asked for faster
const MAX_OUTBOX = 500; // operations that wait for their answer
const MAX_FRAME_BYTES = 1_048_576;
const RATE_PER_SECOND = 40; // the host refuses more than 50, after a burst of 100
const RATE_BURST = 80;
// Closed with 4400 to 4499 another attempt would end alike; with any other code it is made.
const UNAUTHENTICATED = 4401; // but here a new grant is tried, once
const GRANT_EXPIRED = 4503;
const CODES = { 4400: "invalid_argument", 4401: "unauthenticated", 4403: "forbidden",
  4404: "not_found", 4409: "replaced", 4410: "room_destroyed" };
const ASKED_ONCE = new Set(["snapshot", "restore", "auth.refresh"]);
const LOST = { code: "connection_lost", message: "lost before the answer", retryable: true };
const SYSTEM_CLOCK = { now: () => Date.now(), clearTimeout: (timer) => clearTimeout(timer),
  setTimeout: (callback, ms) => setTimeout(callback, ms) };

/** An operation that failed: `code` is a stable word; `retryable`: the same call may succeed later,
 * after `retryAfterMs` where that is known; `field` names the part of the input that is wrong. */
export class RealtimeError extends Error {
  constructor(code, message, { retryable = false, field, retryAfterMs } = {}) {
    super(message);
    Object.assign(this, { name: "RealtimeError", code, retryable, field, retryAfterMs });
  }
}

/** A connection, returned at once; it stays until `close()` or a permanent close code. Options:
 * `grant`, and where the defaults do not fit `WebSocket`, `maxOutbox`, `clock` and `random`. */
export const connect = (options) => new Connection(options);
export class Connection extends EventTarget {
  state = "connecting"; // `online`, `waiting` to connect again, `closed` for ever
  memberId; connectionId;
  epoch; seq; // of the last message that arrived: where the next connection goes on
  #grants; #WebSocket; #maxOutbox; #clock; #random;
  #grant = null; #grantDueAt = 0; // when it is time for another
  #socket = null; #attempt = 0; #onlineAt = Infinity; #missed = 0; #timers = {};
  #failures = 0; #refused = false; #retryAfterMs = 0;
  #outbox = new Map(); #lastId = 0; // id -> {type, text, sent, promise, resolve, reject}, in order
  #tokens = RATE_BURST; #tokensAt; #presence;

  constructor({ grant, WebSocket = globalThis.WebSocket, maxOutbox = MAX_OUTBOX,
    clock = SYSTEM_CLOCK, random = Math.random }) {
    super();
    this.#grants = grant; this.#WebSocket = WebSocket; this.#maxOutbox = maxOutbox;
    this.#clock = clock; this.#random = random; this.#tokensAt = clock.now();
    queueMicrotask(() => this.#open()); // when the caller has added its listeners
  }

  /** Call `handler(detail)` at each event of a type; `addEventListener` is there as well. */
  on(type, handler) { this.addEventListener(type, ({ detail }) => handler(detail)); }

  /** Record `{type, data?, metadata?}` and send it to every connection, this one too. Give a key of
   * your own where the same message may be published by another call, after a reload say. */
  publish(message, { idempotencyKey = randomKey() } = {}) {
    return this.#call("publish", { message: { ...message, idempotencyKey } });
  }
  /** As `publish`, but not sent to this connection; a replay after a reconnect may bring it. */
  broadcast(message, { idempotencyKey = randomKey() } = {}) {
    return this.#call("broadcast", { message: { ...message, idempotencyKey } });
  }
  /** Connecting joins the member of the grant: this is for its metadata, or after `leave`. */
  join({ metadata, presence } = {}) { return this.#call("join", { metadata, presence }); }
  leave() { this.#presence = undefined; return this.#call("leave"); }
  /** Replace the state that others see; without one, only show that this member is here. It is set
   * again after a reconnect, and of those that still wait to be sent only the last is. */
  presence(state) {
    this.#presence = state ?? this.#presence;
    for (const [id, entry] of this.#outbox) {
      if (entry.type !== "presence" || entry.sent) continue;
      entry.text = JSON.stringify({ type: "presence", id, state: this.#presence });
      return entry.promise;
    }
    return this.#call("presence", { state });
  }
  /** Replace the metadata of the room, or read it. */
  metadata(metadata) { return this.#call("metadata", { metadata }); }
  members({ limit } = {}) { return this.#call("members", { limit }); }
  /** A page of messages, newest first; its `cursor`, where it has one, gets the older ones. */
  history({ limit, cursor } = {}) { return this.#call("history", { limit, cursor }); }
  snapshot() { return this.#call("snapshot"); }
  restore(snapshotId) { return this.#call("restore", { snapshotId }); }
  lifecycle() { return this.#call("lifecycle"); }
  /** Connect anew and at once, with a new grant: when that changed, or the network is back. */
  reopen() {
    if (this.state === "closed") return;
    this.#grant = null;
    this.#drop();
    this.#open();
  }

  /** Leave, and end: what was not answered is rejected with `closed`. With `{leave: false}` the
   * member stays for the seconds in which the host waits for a new connection of it. */
  close({ leave = true } = {}) {
    if (leave && this.state === "online") this.#socket.send('{"type":"leave"}');
    this.#end(new RealtimeError("closed", "the connection was closed by its owner"));
  }

  // One operation: queued, sent no faster than the host takes it, settled by `ack` or `error`.
  #call(type, fields = {}) {
    const id = ++this.#lastId, text = JSON.stringify({ type, id, ...fields });
    const refused = (...why) => Promise.reject(new RealtimeError(...why));
    if (this.state === "closed") return refused("closed", "the connection is closed");
    if (new TextEncoder().encode(text).length > MAX_FRAME_BYTES) // by the host with a close
      return refused("payload_too_large", `a frame has at most ${MAX_FRAME_BYTES} bytes`);
    if (this.#outbox.size >= this.#maxOutbox)
      return refused("outbox_full", `${this.#maxOutbox} operations wait`, { retryable: true });
    const entry = { type, text, sent: false };
    entry.promise = new Promise((resolve, reject) => Object.assign(entry, { resolve, reject }));
    this.#outbox.set(id, entry);
    this.#pump();
    return entry.promise;
  }

  #pump() {
    if (this.state !== "online") return;
    const now = this.#clock.now(), seconds = Math.max(0, now - this.#tokensAt) / 1000;
    this.#tokens = Math.min(RATE_BURST, this.#tokens + seconds * RATE_PER_SECOND);
    this.#tokensAt = now;
    for (const entry of this.#outbox.values()) {
      if (entry.sent) continue;
      if (this.#tokens < 1) return this.#later("pump", 1000 / RATE_PER_SECOND, () => this.#pump());
      this.#tokens -= 1;
      entry.sent = true;
      this.#socket.send(entry.text);
    }
  }

  #settle({ type, id, result, code, message, ...more }) {
    const entry = this.#outbox.get(id), error = new RealtimeError(code, message, more);
    this.#outbox.delete(id);
    if (type === "ack") return entry?.resolve(result);
    if (entry) return entry.reject(error);
    this.#retryAfterMs = error.retryAfterMs ?? 0; // the host is about to close, and says why
    this.#emit("error", { error });
  }

  // One connection: grant, socket, welcome, frames; until it is lost.
  async #open() {
    const attempt = ++this.#attempt; // an older one that goes on does so for nothing
    this.#show("connecting");
    let socket;
    try {
      await this.#renew();
      if (attempt !== this.#attempt) return;
      const url = new URL(this.#grant.url), { epoch, seq } = this;
      if (epoch !== undefined) url.search = new URLSearchParams({ epoch, seq });
      this.#socket = socket = new this.#WebSocket(url.href, this.#grant.protocols);
    } catch (error) {
      if (attempt !== this.#attempt) return;
      return error?.retryable === false ? this.#end(error) : this.#wait(error);
    }
    socket.onmessage = ({ data }) => { if (socket === this.#socket) this.#receive(data); };
    socket.onclose = ({ code }) => { if (socket === this.#socket) this.#lost(code); };
    socket.onerror = () => {}; // a close follows, and says more
    this.#later("opening", OPENING_MS, () => this.#lost());
  }

  /** See that the grant is good for a while; its lifetime counts from when it arrived. */
  async #renew() {
    if (this.#grant && this.#clock.now() < this.#grantDueAt) return;
    const attempt = this.#attempt, grant = await this.#grants();
    if (attempt !== this.#attempt) return; // nobody waits for it; a newer one may be here
    this.#grant = grant;
    const now = this.#clock.now(), lifetimeMs = Date.parse(grant.expiresAt) - now;
    this.#grantDueAt = now + Math.max(SHORTEST_LIFETIME_MS, lifetimeMs) * REFRESHED_AT;
  }

  #receive(data) {
    this.#missed = 0; // whatever arrives shows that the connection lives
    const frame = JSON.parse(data);
    if (frame.type === "message" && frame.seq <= this.seq) return; // replayed, and seen before
    if (frame.type === "message") this.seq = frame.seq;
    if (frame.type === "welcome") this.#welcome(frame); // `resumed` follows, if one was asked for
    else if (frame.type === "resumed" && !frame.recovered) this.#emit("gap", frame);
    else if (frame.type === "ack" || frame.type === "error") this.#settle(frame);
    else if (frame.type !== "pong") this.#emit(frame.type, frame);
  }

  #welcome(frame) {
    const { connectionId, memberId, epoch, seq, recovered } = frame;
    Object.assign(this, { connectionId, memberId });
    if (recovered !== true) Object.assign(this, { epoch, seq }); // else they move by the replay
    this.#onlineAt = this.#clock.now();
    this.#cancel("opening");
    this.#later("ping", PING_MS, () => this.#ping());
    this.#later("refresh", this.#grantDueAt - this.#onlineAt, () => this.#refresh());
    this.#show("online");
    this.#emit("welcome", frame);
    if (this.#presence !== undefined) this.presence(this.#presence).catch(() => {});
    this.#pump();
  }

  #ping() {
    if (this.#missed++ >= MISSED_PINGS) return this.#lost();
    this.#socket.send('{"type":"ping"}'); // these very bytes are answered without waking the room
    this.#later("ping", PING_MS, () => this.#ping());
  }

  /** A new token for the open connection, which so outlives its grant. */
  async #refresh() {
    const attempt = this.#attempt, gone = () => attempt !== this.#attempt || !this.#socket;
    try {
      await this.#renew();
      if (!gone()) await this.#call("auth.refresh", { token: this.#grant.token });
    } catch (error) {
      this.#grantDueAt = 0; // of no use here: the next time takes a new one
      if (!gone()) this.#emit("error", { error });
    }
    if (gone()) return;
    const dueMs = Math.max(REFRESH_AGAIN_MS, this.#grantDueAt - this.#clock.now());
    this.#later("refresh", dueMs, () => this.#refresh());
  }

  #lost(code = 1006) {
    const lived = this.#clock.now() - this.#onlineAt >= STABLE_MS;
    if (lived) [this.#failures, this.#refused] = [0, false];
    this.#drop();
    if (code === UNAUTHENTICATED || code === GRANT_EXPIRED) this.#grant = null;
    if (code === UNAUTHENTICATED && !this.#refused) {
      this.#refused = true;
      this.#open();
    } else if (code < 4400 || code > 4499) this.#wait();
    else this.#end(new RealtimeError(CODES[code] ?? "refused", `the host closed with ${code}`));
  }

  /** Exponential back-off, full jitter: a host that restarts does not meet everyone at once. */
  #wait(error) {
    const longestMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#failures++);
    const waitMs = Math.max(this.#retryAfterMs, this.#random() * longestMs);
    this.#retryAfterMs = 0;
    this.#later("open", waitMs, () => this.#open());
    this.#show("waiting", { error, waitMs });
  }

  /** Forget the socket. What was not answered is sent again on the next one, or fails now. */
  #drop() {
    this.#socket?.close();
    this.#socket = null;
    this.#onlineAt = Infinity;
    Object.keys(this.#timers).forEach((name) => this.#cancel(name));
    for (const [id, entry] of this.#outbox) {
      const fails = entry.sent && ASKED_ONCE.has(entry.type);
      if (fails) this.#settle({ id, ...LOST });
      entry.sent = false;
    }
  }

  #end(error) {
    if (this.state === "closed") return;
    this.#attempt++;
    this.#drop();
    this.#show("closed", { error });
    for (const entry of this.#outbox.values()) entry.reject(error);
    this.#outbox.clear();
  }
  #show(state, more) { this.#emit("state", { state: (this.state = state), ...more }); }
  #emit(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }
  #later(name, ms, callback) {
    this.#cancel(name);
    this.#timers[name] = this.#clock.setTimeout(callback, ms);
  }
  #cancel(name) { this.#clock.clearTimeout(this.#timers[name]); }
}

// `crypto.randomUUID` is missing on pages that came without TLS.
const randomKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)),
  (byte) => byte.toString(16).padStart(2, "0")).join("");
