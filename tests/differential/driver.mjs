// Takes programs over HTTP and runs each on an object of its own, from outside; driver.py is its twin.

import unsafe from "workerd:unsafe";
import { Interpreter, World, described, worlds } from "./interpreter.mjs";

export { Interpreter };

const RECEIVE_MS = 250;
const PROGRAM_MS = 15_000;
const FLAGS = ["remote", "retryable", "overloaded", "durableObjectReset"];

// The steps of a request travel in its URL.
const url = (steps) => `http://object/?${encodeURIComponent(JSON.stringify(steps))}`;

class Client {
  constructor(socket) {
    this.socket = socket;
    this.events = [];
    socket.addEventListener("message", ({ data }) => this.events.push(["message", data]));
    socket.addEventListener("close", ({ code, reason, wasClean }) =>
      this.events.push(["close", code, reason, wasClean]),
    );
    socket.accept();
  }

  get ended() {
    return this.events.some(([kind]) => kind === "close");
  }

  async next() {
    for (let left = RECEIVE_MS; left > 0 && this.events.length === 0; left--) await scheduler.wait(1);
    return this.events.shift() ?? ["nothing"];
  }
}

class Driver {
  constructor(env, name, program) {
    this.namespace = env.OBJECT;
    this.name = name;
    this.program = program;
    this.world = new World(program);
    this.transcript = [];
    this.calls = new Map();
    this.clients = new Map();
    this.stub = this.namespace.getByName(name);
  }

  async run() {
    worlds.set(this.name, this.world);
    void this.world.turnstile.run();
    const running = (async () => {
      for (const [name, ...rest] of this.program.steps) await this[name](...rest);
      await this.settle();
    })();
    const hung = scheduler.wait(PROGRAM_MS).then(() => this.transcript.push(["hung"]));
    await Promise.race([running, hung]).catch((error) => this.transcript.push(["broken", String(error)]));
    this.world.turnstile.end();
    // Copies: a retry of an alarm may still be to come.
    return { object: [...this.world.transcript], driver: [...this.transcript] };
  }

  async outcome(calling) {
    try {
      return { returned: await calling };
    } catch (error) {
      return { ...described(error), flags: FLAGS.filter((flag) => error?.[flag]) };
    }
  }

  async call(steps) {
    this.transcript.push(["call", await this.outcome(this.stub.run("call", steps))]);
  }

  async start(strand, steps) {
    this.calls.set(strand, this.outcome(this.stub.run(strand, steps)));
    await this.settle();
  }

  async join(strand) {
    this.transcript.push(["join", strand, await this.calls.get(strand)]);
  }

  async settle() {
    await this.world.turnstile.settle();
  }

  async new_stub() {
    this.stub = this.namespace.getByName(this.name);
  }

  async evict() {
    await this.outcome(unsafe.evict(this.stub)); // an error where there was nothing to evict
  }

  async alarms(count) {
    while (this.world.alarmsEnded < count) await scheduler.wait(2);
    await this.settle();
  }

  async fetch(steps) {
    const fetching = this.stub.fetch(url(steps)).then((response) => response.json());
    this.transcript.push(["fetch", await this.outcome(fetching)]);
  }

  async connect(name, steps) {
    const response = this.stub.fetch(url(steps), { headers: { Upgrade: "websocket" } });
    const opening = response.then(({ webSocket }) => {
      this.clients.set(name, new Client(webSocket));
      return "opened";
    });
    this.transcript.push(["connect", name, await this.outcome(opening)]);
  }

  async send(name, message) {
    const text = typeof message === "string" ? message : JSON.stringify(message);
    const client = this.clients.get(name);
    if (client !== undefined && !client.ended) client.socket.send(text);
    await this.settle();
  }

  async receive(name) {
    this.transcript.push(["receive", name, ...(await this.clients.get(name).next())]);
  }

  async received(name) {
    this.transcript.push(["received", name, this.clients.get(name)?.events.splice(0) ?? []]);
  }

  async close(name, code, reason) {
    const client = this.clients.get(name);
    if (client !== undefined && !client.ended) client.socket.close(code ?? undefined, reason ?? undefined);
    await this.settle();
  }
}

export default {
  async fetch(request, env) {
    const programs = await request.json();
    const batch = crypto.randomUUID();
    const drivers = programs.map((program, number) => new Driver(env, `${batch}/${number}`, program));
    return Response.json(await Promise.all(drivers.map((driver) => driver.run())));
  },
};
