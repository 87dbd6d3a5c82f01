// The object that interprets programs under workerd; interpreter.py is its twin, operation by
// operation. README.md lists the operations.

import { DurableObject } from "cloudflare:workers";
import { Turnstile } from "./turnstile.mjs";

// What outlives an instance: the program, its transcript, how many alarms have run. By object name.
export const worlds = new Map();

export class World {
  constructor(program) {
    this.program = program;
    this.transcript = [];
    this.alarmsStarted = 0;
    this.alarmsEnded = 0;
    this.thrown = false;
    this.turnstile = new Turnstile(); // a pause is a real suspension: whoever can run meanwhile does
  }
}

export function described(error) {
  return { error: [error?.name ?? typeof error, String(error?.message ?? error)] };
}

const ERRORS = { Error, TypeError, RangeError };
const FAR_MS = 4_000_000_000_000;

// A time near now differs from run to run.
const time = (ms) => (ms === null || ms >= FAR_MS ? ms : "soon");

function shown(value, operation) {
  if (value === undefined) return ["get", "kv_get"].includes(operation) ? { undefined: true } : null;
  if (value instanceof Map) return { entries: [...value] };
  return value;
}

function listOptions({ start_after, ...options }) {
  return start_after === undefined ? options : { ...options, startAfter: start_after };
}

function writeOptions(options = {}) {
  return { allowUnconfirmed: options.allow_unconfirmed, allowConcurrency: options.allow_concurrency };
}

// Calls of storage, or of a transaction: each returns what the API returned, a promise.
const STORAGE = {
  get: (target, key) => target.get(key),
  get_many: (target, keys) => target.get(keys),
  put: (target, key, value, options) => target.put(key, value, writeOptions(options)),
  put_many: (target, entries, options) => target.put(entries, writeOptions(options)),
  delete: (target, key, options) => target.delete(key, writeOptions(options)),
  delete_many: (target, keys) => target.delete(keys),
  list: (target, options = {}) => target.list(listOptions(options)),
  delete_all: (target) => target.deleteAll(),
  sync: (target) => target.sync(),
  set_alarm: (target, ms) => target.setAlarm(ms),
  get_alarm: async (target) => time(await target.getAlarm()),
  delete_alarm: (target) => target.deleteAlarm(),
  rollback: (target) => target.rollback(),
};

// Synchronous calls, also inside transaction_sync and a constructor.
const SYNC = {
  kv_get: (self, frame, key) => self.ctx.storage.kv.get(key),
  kv_put: (self, frame, key, value) => self.ctx.storage.kv.put(key, value),
  kv_delete: (self, frame, key) => self.ctx.storage.kv.delete(key),
  kv_list: (self, frame, options = {}) => new Map(self.ctx.storage.kv.list(listOptions(options))),
  transaction_sync: (self, frame, steps) => {
    self.ctx.storage.transactionSync(() => self.run_sync(frame, steps));
    return "committed";
  },
  remember: (self, frame, name, value) => void self.memory.set(name, value),
  recall: (self, frame, name) => self.memory.get(name) ?? null,
  note: (self, frame, text) => text,
  throw: (self, frame, kind, message) => {
    throw new Thrown(new ERRORS[kind](message));
  },
  throw_once: (self, frame, kind, message) => {
    if (self.world.thrown) return;
    self.world.thrown = true;
    throw new Thrown(new ERRORS[kind](message));
  },
  return: (self, frame, value) => void (frame.result = value),
  abort: (self, frame, reason, options = {}) =>
    self.ctx.abort(reason ?? undefined, { retryAlarm: options.retry_alarm ?? true }),

  accept: (self, frame, name, tags = []) => {
    const pair = new WebSocketPair();
    self.ctx.acceptWebSocket(pair[1], [name, ...tags]);
    frame.client = pair[0];
  },
  send: (self, frame, text, name) => self.socket(frame, name).send(text),
  close: (self, frame, code, reason, name) =>
    self.socket(frame, name).close(code ?? undefined, reason ?? undefined),
  attach: (self, frame, value, name) => self.socket(frame, name).serializeAttachment(value),
  attachment: (self, frame, name) => self.socket(frame, name).deserializeAttachment(),
  tags: (self, frame, name) => self.ctx.getTags(self.socket(frame, name)),
  tags_of_new: (self) => self.ctx.getTags(new WebSocketPair()[1]),
  ready_state: (self, frame, name) => self.socket(frame, name).readyState,
  sockets: (self, frame, tag) =>
    self.ctx.getWebSockets(tag).map((socket) => self.ctx.getTags(socket)[0]),
  set_auto_response: (self, frame, request, response) =>
    self.ctx.setWebSocketAutoResponse(
      request === undefined ? undefined : new WebSocketRequestResponsePair(request, response),
    ),
  auto_response: (self) => {
    const pair = self.ctx.getWebSocketAutoResponse();
    return pair === null ? null : [pair.request, pair.response];
  },
  auto_response_time: (self, frame, name) =>
    time(self.ctx.getWebSocketAutoResponseTimestamp(self.socket(frame, name))?.getTime() ?? null),
  set_event_timeout: (self, frame, ms) => self.ctx.setHibernatableWebSocketEventTimeout(ms),
  event_timeout: (self) => self.ctx.getHibernatableWebSocketEventTimeout(),
};

// Operations that suspend, or hold steps of their own.
const ASYNC = {
  pause: (self) => self.world.turnstile.pause(),
  set_alarm_now: (self, frame, later = 0) => frame.target.setAlarm(Date.now() + later),
  open: async (self, frame, name) => {
    self.log(frame.strand, ["open", name]); // before whoever waits for it goes on
    self.barrier(name).open();
    await self.world.turnstile.pause();
  },
  wait: (self, frame, name) => self.barrier(name).opened,
  transaction: async (self, frame, name, steps) => {
    const result = await self.ctx.storage.transaction(async (transaction) => {
      self.transactions.set(name, transaction);
      await self.run_steps({ ...frame, target: transaction }, steps);
      return name;
    });
    return result;
  },
  block: (self, frame, steps) =>
    self.ctx.blockConcurrencyWhile(async () => {
      await self.unwrapping(self.run_steps(frame, steps));
      return "ended";
    }),
  nest: (self, frame, depth, steps) => {
    const deeper = (left) =>
      left === 0
        ? self.unwrapping(self.run_steps(frame, steps))
        : self.ctx.blockConcurrencyWhile(() => deeper(left - 1));
    return deeper(depth).then(() => "ended");
  },
  catch: async (self, frame, steps) => {
    await self.run_steps(frame, steps);
    return "nothing";
  },
  add: async (self, frame, key, options = {}) => {
    const value = ((await frame.target.get(key)) ?? 0) + 1;
    if (options.pause) await self.world.turnstile.pause();
    await frame.target.put(key, value);
    return value;
  },
  put_copy: async (self, frame, key, value, change) => {
    const putting = frame.target.put(key, value);
    value.push(change);
    await putting;
    const stored = await frame.target.get(key);
    stored.push(change);
    return await frame.target.get(key);
  },
  wait_until: async (self, frame, strand, steps) => {
    const pausing = self.world.turnstile.pause();
    self.ctx.waitUntil(pausing.then(() => self.run_steps({ ...frame, strand }, steps)));
  },
  call_self: async (self, frame, steps) => {
    const stub = self.env.OBJECT.getByName(self.ctx.id.name);
    return await stub.run(`${frame.strand}, inner`, steps);
  },
  in_storage: (self, frame, steps) =>
    self.run_steps({ ...frame, target: self.ctx.storage }, steps).then(() => "ended"),
  in_transaction: (self, frame, name, steps) =>
    self.run_steps({ ...frame, target: self.transactions.get(name) }, steps).then(() => "ended"),
};

// What `throw` threw: it ends the steps around it. Every other error is written down where it is.
class Thrown extends Error {
  constructor(cause) {
    super();
    this.cause = cause;
  }
}

class Barrier {
  constructor() {
    this.opened = new Promise((resolve) => (this.resolve = resolve));
  }
  open() {
    this.resolve();
  }
}

export class Interpreter extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.world = worlds.get(ctx.id.name);
    this.memory = new Map();
    this.barriers = new Map();
    this.transactions = new Map();
    const { construct, start } = this.world.program;
    if (construct !== undefined) {
      this.unwrapped(() => this.run_sync(this.frame("constructor"), construct));
    }
    if (start !== undefined) ctx.blockConcurrencyWhile(() => this.run_all("start", start));
  }

  async run(strand, steps) {
    return await this.run_all(strand, steps);
  }

  async fetch(request) {
    const frame = this.frame("fetch");
    const steps = JSON.parse(decodeURIComponent(new URL(request.url).search.slice(1)));
    await this.unwrapping(this.run_steps(frame, steps));
    if (frame.client === undefined) return Response.json(frame.result ?? null);
    return new Response(null, { status: 101, webSocket: frame.client });
  }

  async alarm(info) {
    const run = this.world.alarmsStarted++;
    const runs = this.world.program.alarms ?? [];
    this.log("alarm", ["alarm", info.retryCount, info.isRetry]);
    try {
      await this.run_all("alarm", runs[run] ?? []);
    } finally {
      this.world.alarmsEnded++;
    }
  }

  async webSocketMessage(socket, message) {
    const frame = this.frame("message", socket);
    const steps = message.startsWith("[") ? JSON.parse(message) : undefined;
    const name = this.ctx.getTags(socket)[0];
    this.log("message", ["message", name, steps === undefined ? message : "steps"]);
    await this.unwrapping(this.run_steps(frame, steps ?? this.world.program.message ?? []));
  }

  async webSocketClose(socket, code, reason, wasClean) {
    const name = this.ctx.getTags(socket)[0];
    this.log("close", ["close", name, code, reason, wasClean]);
    await this.unwrapping(this.run_steps(this.frame("close", socket), this.world.program.close ?? []));
  }

  async webSocketError(socket, error) {
    this.log("error", ["error", described(error)]);
  }

  frame(strand, socket) {
    return { strand, socket, target: this.ctx.storage, result: null };
  }

  async run_all(strand, steps) {
    const frame = this.frame(strand);
    await this.unwrapping(this.run_steps(frame, steps));
    return frame.result;
  }

  async unwrapping(running) {
    try {
      return await running;
    } catch (error) {
      throw error instanceof Thrown ? error.cause : error;
    }
  }

  unwrapped(run) {
    try {
      return run();
    } catch (error) {
      throw error instanceof Thrown ? error.cause : error;
    }
  }

  async run_steps(frame, steps) {
    for (const step of steps) await this.run_step(frame, step);
  }

  run_sync(frame, steps) {
    for (const [name, ...rest] of steps) {
      try {
        const value = SYNC[name](this, frame, ...rest);
        this.log(frame.strand, [name, shown(value, name)]);
      } catch (error) {
        this.caught(frame, name, error);
      }
    }
  }

  async run_step(frame, [name, ...rest]) {
    this.world.turnstile.moved();
    if (name === "unawaited") {
      const [[inner, ...innermost]] = rest;
      // Most failures are in a promise that nobody awaits; that of `delete` is thrown by the call.
      try {
        if (inner in STORAGE) STORAGE[inner](frame.target, ...innermost);
        else void ASYNC[inner](this, frame, ...innermost);
      } catch {}
      return;
    }
    try {
      const value = await (name in STORAGE
        ? STORAGE[name](frame.target, ...rest)
        : (SYNC[name] ?? ASYNC[name])(this, frame, ...rest));
      if (name !== "open") this.log(frame.strand, [name, shown(value, name)]);
    } catch (error) {
      this.caught(frame, name, error);
    }
  }

  caught(frame, name, error) {
    if (!(error instanceof Thrown)) this.log(frame.strand, [name, described(error)]);
    else if (["throw", "throw_once", "in_storage", "in_transaction"].includes(name)) throw error;
    else this.log(frame.strand, [name, described(error.cause)]);
  }

  log(strand, entry) {
    this.world.transcript.push([strand, ...entry]);
    this.world.turnstile.moved();
  }

  barrier(name) {
    if (!this.barriers.has(name)) this.barriers.set(name, new Barrier());
    return this.barriers.get(name);
  }

  socket(frame, name) {
    if (name === undefined) return frame.socket;
    return this.ctx.getWebSockets(name)[0];
  }
}
