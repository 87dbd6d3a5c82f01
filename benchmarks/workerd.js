// What workerd runs: an actor as ours is, and callers of it within the same process, as ours are.
import { DurableObject } from "cloudflare:workers";

const VALUE_BYTES = 100;
const BATCH = 16; // steps between two looks at the time
const KEYS = 10_000; // that durable writes go round

// Of all objects: they share an isolate.
const lateness = [];
let writes = 0;

// What no write had before: SQLite writes nothing where a value is what it was.
function newValue() {
  const value = new Uint8Array(VALUE_BYTES);
  new DataView(value.buffer).setFloat64(0, ++writes);
  return value;
}

export class Counter extends DurableObject {
  count = 0;

  async increment() {
    return ++this.count;
  }

  async store(key) {
    await this.ctx.storage.put(key, newValue());
  }

  async read(key) {
    return await this.ctx.storage.get(key);
  }

  async ring(due) {
    await this.ctx.storage.setAlarm(due);
  }

  async alarm(info) {
    lateness.push(Date.now() - info.scheduledTime);
  }

  async fetch() {
    const pair = new WebSocketPair();
    this.ctx.acceptWebSocket(pair[1]);
    return new Response(null, { status: 101, webSocket: pair[0] });
  }

  webSocketMessage(ws, message) {
    ws.send(message);
  }
}

const steps = {
  increment: (stub) => stub.increment(),
  store: (stub, number, query) => stub.store(`key-${Math.floor(number / query.rooms) % KEYS}`),
  read: (stub) => stub.read("key-0"),
  ring: (stub, number, query) => stub.ring(query.due_ms + Math.floor((number * query.spread_ms) / query.count)),
};

// Callers that each do one step after the other: for some seconds or, with a count, that many.
async function run(env, query) {
  const step = steps[query.do];
  const stubs = [];
  const stubOf = (number) => env.COUNTER.getByName(String(query.first + (number % query.rooms) * query.stride));
  const keepsStubs = query.rooms <= 100;
  for (let number = 0; keepsStubs && number < query.rooms; number++) stubs.push(stubOf(number));
  const deadline = Date.now() + query.seconds * 1000;
  let begun = 0;
  let done = 0;

  async function timed() {
    while (Date.now() < deadline) {
      for (let number = 0; number < BATCH; number++) {
        await step(keepsStubs ? stubs[begun % query.rooms] : stubOf(begun), begun++, query);
      }
      done += BATCH;
    }
  }

  async function counted() {
    while (begun < query.count) {
      const number = begun++;
      await step(stubOf(number), number, query);
      done++;
    }
  }

  await Promise.all(Array.from({ length: query.callers }, query.count ? counted : timed));
  return { done };
}

// How late the alarms were that have run, in milliseconds.
function late() {
  const ordered = [...lateness].sort((a, b) => a - b);
  const at = (share) => ordered[Math.min(ordered.length - 1, Math.floor(ordered.length * share))];
  return { count: ordered.length, p50: at(0.5), p99: at(0.99), last: ordered.at(-1) };
}

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    if (request.headers.has("upgrade")) return env.COUNTER.getByName(url.pathname.slice(1)).fetch(request);

    const query = await request.json();
    if (query.do === "rung") return Response.json({ count: lateness.length });
    if (query.do === "late") return Response.json(late());
    return Response.json(await run(env, query));
  },
};
